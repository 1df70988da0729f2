"""Sign-in by mail code, staying signed in, profile: over HTTP, as a client does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from yarl import URL

from accounts.postgres import Pool
from tests.client import Client, Refused
from tests.house import Server, serving


@pytest.fixture
async def server(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[Server]:
    async with serving(database_url, redis_url, prefix, ACCOUNTS_REFRESH_GRACE="1") as made:
        yield made


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with Client(server.base) as made:
        yield made


async def mailed_code(client: Client, count: int = 1) -> str:
    for _ in range(200):
        mails = await client.call("GET", f"/dev/mail?to={client.email}")
        if len(mails) >= count:
            return str(mails[0]["code"])
        await asyncio.sleep(0.01)
    raise AssertionError("no mail came")


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


async def verify(client: Client, code: str) -> None:
    await client.call("POST", "/v1/auth/verify", {"email": client.email, "code": code})


async def test_a_code_signs_in_once(client: Client) -> None:
    await client.call("POST", "/v1/auth/code", {"email": client.email.upper()})
    code = await mailed_code(client)
    await client.sign_in(code)
    assert client.person["email"] == client.email
    assert client.person["role"] is None
    with pytest.raises(Refused, match="code_wrong"):
        await verify(client, code)


async def test_the_mail_says_what_it_is(client: Client) -> None:
    await client.call("POST", "/v1/auth/code", {"email": client.email, "language": "fr"})
    code = await mailed_code(client)
    (mail,) = await client.call("GET", f"/dev/mail?to={client.email}")
    assert mail["subject"].startswith(code)
    assert code in mail["text"]
    assert set(mail) == {"to", "subject", "text", "at", "code"}


async def test_five_tries(client: Client) -> None:
    await client.call("POST", "/v1/auth/code", {"email": client.email})
    code = await mailed_code(client)
    for _ in range(5):
        with pytest.raises(Refused, match="code_wrong"):
            await verify(client, wrong(code))
    with pytest.raises(Refused, match="code_exhausted"):
        await verify(client, code)
    await client.sign_in()  # a new one helps


async def test_four_wrong_ones_and_the_right_one(client: Client) -> None:
    await client.call("POST", "/v1/auth/code", {"email": client.email})
    code = await mailed_code(client)
    for _ in range(4):
        with pytest.raises(Refused, match="code_wrong"):
            await verify(client, wrong(code))
    await client.sign_in(code)


async def test_the_older_of_two_codes_works_too(client: Client) -> None:
    """Who presses twice gets two mails, and the first often comes to the eye first."""
    await client.call("POST", "/v1/auth/code", {"email": client.email})
    first = await mailed_code(client)
    await client.call("POST", "/v1/auth/code", {"email": client.email})
    await mailed_code(client, 2)
    await verify(client, first)


async def test_a_code_is_over_after_ten_minutes(client: Client, pool: Pool) -> None:
    await client.call("POST", "/v1/auth/code", {"email": client.email})
    code = await mailed_code(client)
    assert await pool.fetchval(
        "SELECT expires_at BETWEEN now() + interval '9 minutes' AND now() + interval '10 minutes'"
        " FROM accounts.sign_in_code WHERE email = $1",
        client.email,
    )
    await pool.execute("UPDATE accounts.sign_in_code SET expires_at = now() WHERE email = $1", client.email)
    with pytest.raises(Refused, match="code_wrong"):
        await verify(client, code)


async def test_a_code_works_only_in_the_browser_that_asked(client: Client, server: Server) -> None:
    """The browser is known by a cookie that the sign-in page sets; `who` plays two browsers on one network."""
    name = "visavis-browser"
    client.http.cookie_jar.update_cookies({name: "this-browser"}, client_url(server))
    await client.call("POST", "/v1/auth/code", {"email": client.email})
    code = await mailed_code(client)
    async with Client(server.base, client.email) as other:
        other.http.cookie_jar.update_cookies({name: "that-browser"}, client_url(server))
        with pytest.raises(Refused, match="code_wrong"):
            await verify(other, code)
    async with Client(server.base, client.email) as bare:
        with pytest.raises(Refused, match="code_wrong"):
            await verify(bare, code)
    await verify(client, code)


def client_url(server: Server) -> URL:
    return URL(server.base)


async def test_tries_from_elsewhere_do_not_use_up_the_owners(client: Client, server: Server) -> None:
    client.http.cookie_jar.update_cookies({"visavis-browser": "this-browser"}, client_url(server))
    await client.call("POST", "/v1/auth/code", {"email": client.email})
    code = await mailed_code(client)
    async with Client(server.base, client.email) as other:
        for _ in range(8):
            with pytest.raises(Refused, match="code_wrong"):
                await verify(other, wrong(code))
    await verify(client, code)


async def test_codes_are_limited_an_address(client: Client) -> None:
    for _ in range(5):
        await client.call("POST", "/v1/auth/code", {"email": client.email})
    with pytest.raises(Refused, match="too_many_codes") as refused:
        await client.call("POST", "/v1/auth/code", {"email": client.email})
    assert 0 < refused.value.problem["retry_after"] <= 900


async def test_the_answer_does_not_tell_who_is_known_or_banned(client: Client, pool: Pool) -> None:
    await client.sign_in()
    await pool.execute("UPDATE accounts.person SET standing = 'banned' WHERE email = $1", client.email)
    answers = []
    for address in (client.email, "unknown@visavis.test"):
        async with client.http.post(client.base + "/v1/auth/code", json={"email": address}) as response:
            answers.append((response.status, await response.read(), sorted(response.headers)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 202


async def test_two_first_sign_ins_at_once_make_one_account(server: Server, pool: Pool) -> None:
    clients = [Client(server.base, "twin@visavis.test") for _ in range(2)]
    try:
        codes = []
        for number, client in enumerate(clients):
            await client.call("POST", "/v1/auth/code", {"email": client.email})
            codes.append(await mailed_code(client, number + 1))
        await asyncio.gather(*(client.sign_in(code) for client, code in zip(clients, codes, strict=True)))
        assert clients[0].person["id"] == clients[1].person["id"]
        assert await pool.fetchval("SELECT count(*) FROM accounts.person WHERE email = 'twin@visavis.test'") == 1
    finally:
        for client in clients:
            await client.__aexit__()


# --- staying signed in


def refresh_cookie(client: Client, server: Server) -> str:
    return client.http.cookie_jar.filter_cookies(client_url(server))["visavis-refresh"].value


async def test_a_refresh_rotates(client: Client, server: Server) -> None:
    await client.sign_in()
    first = refresh_cookie(client, server)
    await client.refresh()
    assert refresh_cookie(client, server) != first
    assert (await client.call("GET", "/v1/me"))["email"] == client.email


async def test_a_refresh_whose_reply_was_lost_gets_the_same_successor(client: Client, server: Server) -> None:
    await client.sign_in()
    first = refresh_cookie(client, server)
    await client.refresh()
    second = refresh_cookie(client, server)
    client.http.cookie_jar.update_cookies({"visavis-refresh": first}, client_url(server))
    await client.refresh()
    assert refresh_cookie(client, server) == second
    await client.refresh()


async def test_a_reuse_after_that_kills_the_family(client: Client, server: Server, pool: Pool) -> None:
    await client.sign_in()
    stolen = refresh_cookie(client, server)
    await client.refresh()
    await asyncio.sleep(1.1)  # the grace of this server is a second
    newest = refresh_cookie(client, server)
    async with Client(server.base) as thief:
        thief.http.cookie_jar.update_cookies({"visavis-refresh": stolen}, client_url(server))
        with pytest.raises(Refused, match="refresh_invalid"):
            await thief.refresh()
    assert refresh_cookie(client, server) == newest
    with pytest.raises(Refused, match="refresh_invalid"):
        await client.refresh()
    with pytest.raises(Refused, match="token_invalid"):
        await client.call("GET", "/v1/me")
    assert await pool.fetchval("SELECT revoked_for FROM accounts.refresh_family") == "reuse"
    assert await pool.fetchval("SELECT count(*) FROM accounts.audit WHERE tag = 'accounts:device:reuse'") == 1


async def test_an_old_generation_kills_the_family_even_within_the_grace(client: Client, server: Server) -> None:
    await client.sign_in()
    oldest = refresh_cookie(client, server)
    await client.refresh()
    await client.refresh()
    client.http.cookie_jar.update_cookies({"visavis-refresh": oldest}, client_url(server))
    with pytest.raises(Refused, match="refresh_invalid"):
        await client.refresh()


async def test_a_made_up_token_kills_nothing(client: Client, server: Server) -> None:
    await client.sign_in()
    good = refresh_cookie(client, server)
    client.http.cookie_jar.update_cookies({"visavis-refresh": good[:-4] + "AAAA"}, client_url(server))
    with pytest.raises(Refused, match="refresh_invalid"):
        await client.refresh()
    client.http.cookie_jar.update_cookies({"visavis-refresh": good}, client_url(server))
    await client.refresh()


async def test_sign_out_ends_this_device_at_once(client: Client, server: Server) -> None:
    await client.sign_in()
    async with Client(server.base, client.email) as second:
        await second.sign_in()
        cookie = refresh_cookie(client, server)
        await client.call("POST", "/v1/auth/logout")
        with pytest.raises(Refused, match="token_invalid"):
            await client.call("GET", "/v1/me")
        client.http.cookie_jar.update_cookies({"visavis-refresh": cookie}, client_url(server))
        with pytest.raises(Refused, match="refresh_invalid"):
            await client.refresh()
        assert (await second.call("GET", "/v1/me"))["email"] == client.email


async def test_a_token_of_an_older_epoch_is_worthless(client: Client, pool: Pool) -> None:
    await client.sign_in()
    await pool.execute("UPDATE accounts.person SET token_epoch = token_epoch + 1")
    with pytest.raises(Refused, match="token_invalid"):
        await client.call("GET", "/v1/me")
    await client.refresh()
    assert (await client.call("GET", "/v1/me"))["email"] == client.email


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(
    database_url: str, redis_url: str, prefix: str, server: Server, client: Client
) -> None:
    await client.call("POST", "/v1/auth/code", {"email": client.email})
    code = await mailed_code(client)
    body = {"email": client.email, "code": code}
    async with client.http.post(server.base + "/v1/auth/verify", json=body) as response:
        cookie = response.headers["Set-Cookie"]
        assert response.headers["Cache-Control"] == "no-store"
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    async with (
        serving(database_url, redis_url, prefix, PUBLIC_URL="https://visavis.example") as secure,
        Client(secure.base) as other,
        other.http.post(secure.base + "/v1/auth/logout") as response,
    ):
        cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("__Host-visavis-refresh=")
        assert "Secure" in cookie
        assert "Domain" not in cookie
        assert response.headers["Strict-Transport-Security"].startswith("max-age=")


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_no_other_site_can_use_the_cookie(client: Client, headers: dict[str, str]) -> None:
    await client.sign_in()
    async with client.http.post(client.base + "/v1/auth/refresh", headers=headers) as response:
        assert response.status == 403
        assert (await response.json(content_type=None))["code"] == "wrong_origin"


# --- profile

VOLUNTEER = {"role": "volunteer", "languages": ["en"], "time_zone": "UTC", "consent": True, "adult": True}


async def test_a_profile_is_completed_and_kept(client: Client) -> None:
    await client.sign_in()
    with pytest.raises(Refused, match="profile_incomplete"):
        await client.call("PUT", "/v1/me", {"languages": ["en"], "consent": True})
    await client.profile("volunteer", ("EN", "pt-br"), alias=" Robin ", quiet_hours={"start": "22:00", "end": "7:00"})
    me = await client.call("GET", "/v1/me")
    assert me["complete"] is True
    assert me["languages"] == ["en", "pt-BR"]
    assert me["alias"] == "Robin"
    assert me["time_zone"] == "Europe/Paris"
    assert me["quiet_hours"][0]["end"] == "07:00"
    assert me["alerts_per_day"] == 2
    await client.call("PUT", "/v1/me", {"alerts_per_day": 5})
    assert (await client.call("GET", "/v1/me"))["languages"] == ["en", "pt-BR"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"languages": ["klingon"]}, "language_unknown"),
        ({"languages": []}, "languages_missing"),
        ({"time_zone": "Mars/Olympus"}, "time_zone_unknown"),
        ({"quiet_hours": [{"start": "1", "end": "2"}]}, "quiet_hours_invalid"),
        ({"alias": "call 0612345678"}, "alias_invalid"),
        ({"consent": False}, "consent_missing"),
        ({"consent": "1999"}, "consent_missing"),
        ({"adult": False}, "adults_only"),
        ({"alerts_per_day": 21}, "bad_request"),
        ({"role": "king"}, "bad_request"),
        ({"colour": "red"}, "bad_request"),
        ({"email": "x@y.org"}, "bad_request"),
    ],
)
async def test_a_profile_that_cannot_be_is_refused_and_nothing_changes(
    client: Client, change: dict[str, object], code: str
) -> None:
    await client.sign_in()
    with pytest.raises(Refused) as refused:
        await client.call("PUT", "/v1/me", VOLUNTEER | change)
    assert refused.value.code == code
    assert len(refused.value.problem["detail"]) > 15
    me = await client.call("GET", "/v1/me")
    assert me["role"] is None
    assert me["complete"] is False


async def test_a_role_is_chosen_once(client: Client) -> None:
    await client.sign_in()
    await client.profile("caller")
    with pytest.raises(Refused, match="role_fixed"):
        await client.call("PUT", "/v1/me", {"role": "volunteer", "adult": True})


async def test_without_a_profile_nobody_asks_or_helps(client: Client) -> None:
    await client.sign_in()
    await client.connect()
    for command in ("help.ask", "shift.start"):
        fields = {"request_id": "00000000-0000-7000-8000-000000000009"} if command == "help.ask" else {}
        with pytest.raises(Refused, match="profile_incomplete"):
            await client.command(command, **fields)
    await client.profile("caller")
    await client.ask()  # the socket of before sees the new profile


@pytest.mark.parametrize("body", ["", "[]", "{", '{"email":1}', '{"email":"a@b.org","x":1}', "\xff"])
async def test_a_body_that_is_not_one_is_refused_with_a_reason(client: Client, body: str) -> None:
    async with client.http.post(client.base + "/v1/auth/code", data=body.encode("latin-1")) as response:
        problem = await response.json(content_type=None)
        assert response.status == 400
        assert response.content_type == "application/problem+json"
        assert problem["code"] == "bad_request"


async def test_a_body_too_large_is_refused(client: Client) -> None:
    async with client.http.post(client.base + "/v1/auth/code", data=b"x" * 70_000) as response:
        assert response.status == 413
        assert (await response.json(content_type=None))["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/me"),
        ("PUT", "/v1/me"),
        ("POST", "/v1/socket-ticket"),
        ("GET", "/v1/me/calls"),
        ("GET", "/v1/me/points"),
        ("PUT", "/v1/calls/00000000-0000-7000-8000-000000000009/rating"),
        ("POST", "/v1/calls/00000000-0000-7000-8000-000000000009/report"),
        ("PUT", "/v1/calls/00000000-0000-7000-8000-000000000009/never-again"),
    ],
)
async def test_nothing_of_a_persons_without_a_token(client: Client, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic eDp5"}):
        async with client.http.request(method, client.base + path, headers=headers, json={}) as response:
            assert response.status == 401
            assert (await response.json(content_type=None))["code"] == "token_invalid"


async def test_alerts_can_be_paused_and_languages_muted(client: Client) -> None:
    await client.sign_in()
    person = await client.profile("volunteer", ("en", "fr"))
    assert person.person["snoozed_until"] is None
    assert person.person["muted_languages"] == []
    me = await client.call("PUT", "/v1/me", {"snooze": 3, "muted_languages": ["FR"]})
    paused = datetime.fromisoformat(me["snoozed_until"]) - datetime.now(UTC)
    assert timedelta(hours=2.9) < paused <= timedelta(hours=3)
    assert me["muted_languages"] == ["fr"]
    # What is left out stays; a language that is spoken no more is muted no more; null ends the pause.
    me = await client.call("PUT", "/v1/me", {"languages": ["en", "de"]})
    assert me["snoozed_until"] is not None
    assert me["muted_languages"] == []
    assert (await client.call("PUT", "/v1/me", {"snooze": None}))["snoozed_until"] is None
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    me = await client.call("PUT", "/v1/me", {"snooze": until})
    assert datetime.fromisoformat(me["snoozed_until"]) == datetime.fromisoformat(until)
    for wrong in (0, -1, 9000, "2020-01-01T00:00:00Z", "2027-01-01T00:00:00"):
        with pytest.raises(Refused, match="snooze_invalid"):
            await client.call("PUT", "/v1/me", {"snooze": wrong})
    with pytest.raises(Refused, match="muted_not_spoken"):
        await client.call("PUT", "/v1/me", {"muted_languages": ["it"]})
    with pytest.raises(Refused, match="bad_request"):
        await client.call("PUT", "/v1/me", {"snooze": "soon"})
    assert await client.call("GET", "/v1/me") == me


async def test_a_pause_that_has_passed_is_none(client: Client, pool: Pool) -> None:
    await client.sign_in()
    await client.profile("volunteer")
    await pool.execute("UPDATE accounts.person SET snoozed_until = now() - interval '1 second'")
    assert (await client.call("GET", "/v1/me"))["snoozed_until"] is None
