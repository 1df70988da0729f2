"""After a call: who may say what, how long, how often, and what it leads to."""

from __future__ import annotations

import pytest

from accounts.postgres import Pool
from tests.client import Client, Refused, new_id
from tests.flows.conftest import Make
from tests.flows.test_one_call import connected, make_longer, matched, rung
from tests.house import Server


async def finished(asker: Client, helper: Client, pool: Pool, seconds: float = 60, reason: str = "done") -> str:
    """A call that lasted so long and has ended."""
    call_id = await connected(asker, helper)
    await make_longer(pool, call_id, seconds)
    await asker.command("call.end", call_id=call_id, reason=reason)
    for side in (asker, helper):
        await side.expect("call.ended")
    return call_id


async def age(pool: Pool, call_id: str, hours: float) -> None:
    await pool.execute(
        "UPDATE matching.call SET ended_at = ended_at - make_interval(secs => $2) WHERE id = $1::text::uuid",
        call_id,
        hours * 3600,
    )


async def balance(helper: Client) -> int:
    return int((await helper.call("GET", "/v1/me/points"))["balance"])


async def past(client: Client) -> dict[str, object]:
    return dict((await client.call("GET", "/v1/me/calls"))["calls"][0])


async def test_ratings_are_the_two_peoples_after_the_end_and_for_three_days(
    server: Server, caller: Make, volunteer: Make, pool: Pool
) -> None:
    asker, helper, stranger = await caller(server.base), await volunteer(server.base), await caller(server.base)
    call_id = await connected(asker, helper)
    path = f"/v1/calls/{call_id}/rating"
    with pytest.raises(Refused, match="call_still_on"):
        await asker.call("PUT", path, {"conduct": "fine"})
    await asker.command("call.end", call_id=call_id)
    for who, unknown in ((stranger, path), (asker, f"/v1/calls/{new_id()}/rating"), (asker, "/v1/calls/x/rating")):
        with pytest.raises(Refused, match="call_unknown"):
            await who.call("PUT", unknown, {"conduct": "fine"})
    with pytest.raises(Refused, match="outcome_not_yours"):
        await helper.call("PUT", path, {"outcome": "solved"})
    with pytest.raises(Refused, match="text_too_long"):
        await asker.call("PUT", path, {"comment": "x" * 1001})
    with pytest.raises(Refused, match="bad_request"):
        await asker.call("PUT", path, {"stars": 5})
    await asker.call("PUT", path, {"outcome": "no", "technical": True, "comment": " a\u202eb\x07c "})
    await asker.call("PUT", path, {"outcome": "partly", "technical": True, "comment": " a\u202eb\x07c\n"})
    assert (await past(asker))["rating"] == {
        "outcome": "partly",
        "conduct": "fine",
        "technical": True,
        "comment": "abc",
    }
    assert (await past(helper))["rating"] is None, "the other side sees nothing"
    await age(pool, call_id, 73)
    with pytest.raises(Refused, match="rating_sealed"):
        await asker.call("PUT", path, {"outcome": "solved"})
    assert (await past(asker))["may_rate"] is False


@pytest.mark.parametrize("way", ["rating", "never-again", "report"])
async def test_a_pair_that_never_meets_again(
    server: Server, caller: Make, volunteer: Make, pool: Pool, way: str
) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await finished(asker, helper, pool)
    match way:
        case "rating":
            await helper.call("PUT", f"/v1/calls/{call_id}/rating", {"conduct": "problem"})
        case "never-again":
            await helper.call("PUT", f"/v1/calls/{call_id}/never-again")
        case "report":
            await helper.call("POST", f"/v1/calls/{call_id}/report", {"kind": "rude"})
    assert (await past(helper))["never_again"] is True
    assert (await past(asker))["never_again"] is False, "whose wish it was is nobody else's business"
    await asker.ask()
    assert not await rung(helper, 1.5)
    if way == "never-again":
        await helper.call("PUT", f"/v1/calls/{call_id}/never-again", {"never_again": False})
        await helper.expect("offer.ring", within=5)


async def test_a_wish_that_comes_while_it_rings_wins(server: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await finished(asker, helper, pool)
    await asker.ask()
    ring = await helper.expect("offer.ring")
    await asker.call("PUT", f"/v1/calls/{call_id}/never-again")
    with pytest.raises(Refused, match="offer_closed"):
        await helper.accept(ring["offer_id"])
    assert await pool.fetchval("SELECT count(*) FROM matching.call WHERE state <> 'ended'") == 0


async def test_the_database_itself_keeps_a_pair_apart(
    server: Server, caller: Make, volunteer: Make, pool: Pool
) -> None:
    """Even a claim whose snapshot is older than the wish is refused: the trigger looks again."""
    import asyncio
    import uuid

    from accounts.model import new_id as fresh
    from accounts.postgres import transaction
    from matching.ledger import calls, pairs

    asker, helper = await caller(server.base), await volunteer(server.base)
    await asker.ask()
    offer = uuid.UUID((await helper.expect("offer.ring"))["offer_id"])
    people = [uuid.UUID(side.person["id"]) for side in (asker, helper)]
    async with pool.acquire() as claiming:
        async with transaction(pool) as wishing:
            await pairs.hold(wishing, people)
            claim = asyncio.create_task(calls.claim(claiming, offer, people[1], "a", fresh(), fresh()))
            await asyncio.sleep(0.05)
            assert not claim.done(), "the claim did not wait for the wish"
            await pairs.set_wish(wishing, people[0], people[1], True)
        with pytest.raises(calls.NeverAgain):
            await claim


async def test_a_report_once_with_a_code_for_everything_else(
    server: Server, caller: Make, volunteer: Make, pool: Pool
) -> None:
    asker, helper, stranger = await caller(server.base), await volunteer(server.base), await caller(server.base)
    call_id = await finished(asker, helper, pool)
    path = f"/v1/calls/{call_id}/report"
    assert await balance(helper) == 150
    with pytest.raises(Refused, match="call_unknown"):
        await stranger.call("POST", path, {"kind": "rude"})
    with pytest.raises(Refused, match="bad_request"):
        await asker.call("POST", path, {"kind": "ugly"})
    with pytest.raises(Refused, match="text_too_long"):
        await asker.call("POST", path, {"kind": "rude", "text": "x" * 4001})
    reported = await asker.call("POST", path, {"kind": "harassment", "text": "He asked\x00 for\u202e my address."})
    assert reported["report_id"]
    assert await balance(helper) == 0, "what a reported call earned is taken back"
    with pytest.raises(Refused, match="already_reported"):
        await asker.call("POST", path, {"kind": "rude"})
    await helper.call("POST", path, {"kind": "rude"})  # the other side may as well
    row = await pool.fetchrow(
        "SELECT kind, severity, text FROM rating.report WHERE reporter_id = $1::text::uuid", asker.person["id"]
    )
    assert row is not None
    assert tuple(row) == ("harassment", 1, "He asked for my address.")
    assert (await past(asker))["reported"] == "harassment"
    assert (await past(helper))["reported"] == "rude"


async def test_a_report_too_late_or_too_often(server: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await finished(asker, helper, pool)
    await age(pool, call_id, 31 * 24)
    with pytest.raises(Refused, match="too_late_to_report"):
        await asker.call("POST", f"/v1/calls/{call_id}/report", {"kind": "rude"})
    await age(pool, call_id, -31 * 24)
    await pool.execute(
        """WITH calls AS (
            INSERT INTO matching.call (id, request_id, caller_id, volunteer_id, accept_id, fence, waited, state,
                ended_at, end_reason, given_back)
            SELECT gen_random_uuid(), request_id, caller_id, volunteer_id, 'x' || n, 100 + n, 0, 'ended',
                now(), 'done', true
            FROM matching.call, generate_series(1, 20) n WHERE id = $1::text::uuid RETURNING *)
        INSERT INTO rating.report (id, call_id, reporter_id, subject_id, kind, severity)
        SELECT gen_random_uuid(), id, caller_id, volunteer_id, 'rude', 2 FROM calls""",
        call_id,
    )
    with pytest.raises(Refused, match="too_many_reports"):
        await asker.call("POST", f"/v1/calls/{call_id}/report", {"kind": "rude"})


async def test_end_block_report_in_one_press(server: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await connected(asker, helper)
    await make_longer(pool, call_id, 60)
    await asker.command("call.end", call_id=call_id, reason="abuse")
    assert (await asker.expect("call.ended"))["reason"] == "abuse"
    assert (await helper.expect("call.ended"))["reason"] == "done", "the other side does not hear of the report"
    assert await balance(helper) == 0
    assert (await past(asker))["never_again"] is True
    assert (await past(asker))["reported"] == "abuse"
    # The reporter may still say what it was.
    await asker.call("POST", f"/v1/calls/{call_id}/report", {"kind": "sexual", "text": "…"})
    assert await pool.fetchval("SELECT severity FROM rating.report") == 0
    with pytest.raises(Refused, match="already_reported"):
        await asker.call("POST", f"/v1/calls/{call_id}/report", {"kind": "rude"})
    await asker.ask()
    assert not await rung(helper, 1.0)


async def test_a_volunteer_who_ends_for_abuse_keeps_the_points(
    server: Server, caller: Make, volunteer: Make, pool: Pool
) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await connected(asker, helper)
    await make_longer(pool, call_id, 60)
    await helper.command("call.end", call_id=call_id, reason="abuse")
    await asker.expect("call.ended")
    assert await balance(helper) == 150


async def test_points_over_several_calls(server: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    helper = await volunteer(server.base)
    first, second = await caller(server.base), await caller(server.base)
    earned = []
    for asker, seconds in ((first, 60), (first, 60), (first, 60), (second, 10), (second, 31)):
        before = await balance(helper)
        await finished(asker, helper, pool, seconds)
        earned.append(await balance(helper) - before)
    assert earned == [150, 25, 0, 0, 50]
    ledger = (await helper.call("GET", "/v1/me/points"))["ledger"]
    assert sum(row["points"] for row in ledger) == await balance(helper)


async def test_hanging_up_twice_settles_once(server: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    call_id = await finished(asker, helper, pool)
    for side in (asker, helper, asker):
        await side.command("call.end", call_id=call_id, reason="abuse")
    assert await balance(helper) == 150
    assert await pool.fetchval("SELECT count(*) FROM rating.report") == 0


async def test_history_in_pages(server: Server, caller: Make, volunteer: Make, pool: Pool) -> None:
    asker, helper = await caller(server.base), await volunteer(server.base)
    await matched(asker, helper)
    (call_id,) = [row["id"] for row in await pool.fetch("SELECT id FROM matching.call")]
    await asker.command("call.end", call_id=str(call_id))
    await pool.execute("UPDATE matching.call SET connected_at = claimed_at, given_back = true WHERE id = $1", call_id)
    await pool.execute(
        """INSERT INTO matching.call (id, request_id, caller_id, volunteer_id, accept_id, fence, waited, state,
            claimed_at, connected_at, ended_at, end_reason, given_back)
        SELECT gen_random_uuid(), request_id, caller_id, volunteer_id, 'x' || n, 100 + n, 0, 'ended',
            claimed_at - n * interval '1 hour', claimed_at, ended_at, 'done', true
        FROM matching.call, generate_series(1, 44) n""",
    )
    first = await asker.call("GET", "/v1/me/calls")
    second = await asker.call("GET", "/v1/me/calls", params={"before": first["next"]})
    assert (len(first["calls"]), len(second["calls"]), second["next"]) == (30, 15, None)
    assert len({call["call_id"] for call in first["calls"] + second["calls"]}) == 45
    for nonsense in ("yesterday", "2026-11-22T10:00:00"):
        with pytest.raises(Refused, match="bad_request"):
            await asker.call("GET", "/v1/me/calls", params={"before": nonsense})
