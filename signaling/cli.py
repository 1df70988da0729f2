"""The command `visavis`."""

from __future__ import annotations

import asyncio
import errno
import getpass
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, NoReturn, TypeVar
from uuid import UUID

import uvloop
from cyclopts import App, Group, Parameter

from accounts import audit, store
from accounts.codes import canonical_email
from accounts.errors import PersonUnknown, VisavisError
from accounts.model import Person, StaffRole, Standing
from accounts.postgres import borrowed, transaction
from signaling import barring, development, doctor, embedded, index_status, logs, migrate, server, simulate, why
from signaling.app import opened
from signaling.house import House
from signaling.settings import OPERATORS, Settings, SettingsError, read

T = TypeVar("T")

SETTINGS_HELP = "\n".join(f"- **{name}**: {words}" for name, words in OPERATORS.items())
app = App(
    name="visavis",
    help=f"""One button lends a blind person the eyes of the first available volunteer.

Try it: `visavis dev`, then open the links it prints, the caller's and the volunteer's in two browser windows.

Run it: set the variables below, `visavis migrate`, then `visavis serve`. `visavis doctor` says what is missing.

Settings are environment variables:

{SETTINGS_HELP}

The numbers of matching, sessions, accounts and rating can be set too, as in MATCHING_RING_TIME=20; see
docs/reference/settings.md.
""",
    help_format="markdown",
)
person = App(name="person", help="Look people up, give staff their roles, close and reopen accounts.")
app.command(person)
index = App(name="index", help="The candidate index: volunteers who may be rung on sleeping devices.")
app.command(index)
RUN = Group("Run", sort_key=0)
CARE = Group("Look after", sort_key=1)


def main() -> None:
    """The entry point: errors become a sentence on standard error and exit status 1."""
    try:
        app()
    except SettingsError as error:
        _fail("setting", str(error))
    except VisavisError as error:
        _fail(error.code, str(error))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        port = os.environ.get("PORT", "8080")
        _fail("port_taken", f"Something else listens on port {port} already. Stop it, or set PORT to another one.")


def _fail(code: str, sentence: str) -> NoReturn:
    print(f"visavis: {sentence} [{code}]", file=sys.stderr)
    raise SystemExit(1)


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@asynccontextmanager
async def _services(settings: Settings, *, beside: bool) -> AsyncIterator[tuple[str, str]]:
    """The URLs of database and cache: the operator's, else embedded ones. `beside`: those of a running server, if one
    runs on this DATA_DIR."""
    found = embedded.running_services(settings.data_dir) if beside else None
    database = settings.database_url or (found.database_url if found else None)
    cache = settings.redis_url or (found.redis_url if found else None)
    async with (
        embedded.running(settings.data_dir, postgres=database is None, valkey=cache is None)
        if database is None or cache is None
        else _nothing() as ours
    ):
        database = database or (ours.database_url if ours else None)
        cache = cache or (ours.redis_url if ours else None)
        assert database is not None
        assert cache is not None
        yield database, cache


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield None


# --- run


@app.command(group=RUN)
def serve() -> None:
    """Serve, as in production. Migrate first; with no DATABASE_URL or REDIS_URL the embedded ones are used and migrated
    here."""
    settings = read()
    logs.set_up(development=False)
    _run(_serve(settings, None))


@app.command(group=RUN)
def dev() -> None:
    """Serve for trying it out and for developing: everything needed is started, ready-made people sign in by link, and
    mail lands at /dev/mail. Never in production."""
    settings = read(development=True)
    logs.set_up(development=True)

    async def ready(house: House) -> None:
        await development.seed(house.pool)
        print(_greeting(settings), flush=True)

    _run(_serve(settings, ready))


async def _serve(settings: Settings, ready: Callable[[House], Awaitable[None]] | None) -> None:
    async with _services(settings, beside=False) as (database, cache):
        if settings.development or settings.database_url is None:
            await migrate.migrate(database)
        await server.serve(settings, database, cache, ready)


def _greeting(settings: Settings) -> str:
    shown = ("caller", "volunteer", "staff")
    links = [link for link in development.links(settings) if link.name in shown]
    return "\n".join(
        (
            "",
            f"  visavis runs at {settings.public_url}",
            "",
            *(f"  {link.name:>10}: {link.sign_in}" for link in links),
            "",
            "  Open caller and volunteer in two browsers, or one of them in a private window.",
            f"  More people: {settings.public_url}/dev",
            f"  Mail that would have been sent: {settings.public_url}/dev/mail",
            "  Stop with Ctrl-C.",
            "",
        )
    )


# --- look after


@app.command(name="migrate", group=CARE)
def migrate_() -> None:
    """Bring the database to this version. Safe to run twice, and from two places at once."""
    settings = read()

    async def work() -> list[str]:
        async with _services(settings, beside=True) as (database, _):
            return await migrate.migrate(database)

    applied = _run(work())
    print("\n".join(f"applied {revision}" for revision in applied) or "nothing to do")


@app.command(name="doctor", group=CARE)
def doctor_(*, json: bool = False) -> None:
    """Check what this installation needs, and say what to do about what is missing.

    Parameters
    ----------
    json
        Print one JSON object instead of lines for people.
    """
    settings = read()

    async def work() -> list[doctor.Finding]:
        async with _services(settings, beside=True) as (database, cache):
            return await doctor.examine(settings, database, cache)

    findings = _run(work())
    print(doctor.as_json(findings) if json else doctor.as_text(findings))
    if any(finding.state == "bad" for finding in findings):
        raise SystemExit(1)


app.command(simulate.simulate, group=CARE)


@app.command(name="why", group=CARE)
def why_(offer: str, *, json: bool = False) -> None:
    """Say why a volunteer was rung: the terms of the choice, and what became of it.

    Parameters
    ----------
    offer
        The id of the offer.
    json
        Print the terms as they are kept, as one JSON object.
    """

    async def work(house: House) -> str:
        made = await why.of_offer(house.pool, offer)
        return why.as_json(made) if json else why.as_text(made)

    print(_with_house(work))


# --- people

Who = Annotated[str, Parameter(help="An e-mail address or an id.")]


async def _find(house: House, who: str) -> Person:
    async with borrowed(house.pool) as connection:
        try:
            found = await store.by_id(connection, UUID(who))
        except ValueError:
            found = await store.by_email(connection, canonical_email(who))
    if found is None:
        raise PersonUnknown(who=who)
    return found


def _with_house(work: Callable[[House], Awaitable[T]]) -> T:
    settings = read()
    logs.set_up(development=False)

    async def run() -> T:
        async with (
            _services(settings, beside=True) as (database, cache),
            opened(settings, database, cache, at_work=False) as house,
        ):
            return await work(house)

    return _run(run())


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


@person.command(name="list")
def list_(
    *,
    standing: Literal["good", "warned", "restricted", "held", "suspended", "banned"] | None = None,
    role: Literal["caller", "volunteer"] | None = None,
    at_most: int = 50,
) -> None:
    """List people, newest first: id, role, standing, languages. Addresses are not shown.

    Parameters
    ----------
    standing
        Only people with this standing.
    role
        Only callers or only volunteers.
    at_most
        How many.
    """

    async def work(house: House) -> list[Person]:
        async with borrowed(house.pool) as connection:
            return await store.listed(connection, standing, role, at_most)

    for each in _with_house(work):
        roles = "+".join(filter(None, (each.role, each.staff_role))) or "new"
        print(f"{each.id}  {roles:<20} {each.standing:<10} {','.join(each.languages) or '-':<12} {each.created_at:%F}")


@person.command
def role(who: Who, staff_role: Literal["triage", "moderator", "senior", "auditor", "admin", "none"]) -> None:
    """Give somebody a staff role, or take it away with `none`.

    Parameters
    ----------
    staff_role
        The role on the staff.
    """

    async def work(house: House) -> Person:
        found = await _find(house, who)
        async with transaction(house.pool) as connection:
            new = None if staff_role == "none" else StaffRole(staff_role)
            await store.set_staff_role(connection, found.id, new)
            await audit.append(connection, _actor(), "staff:person:role", found.id, role=staff_role)
        return found

    print(f"{_with_house(work).id}: staff role {staff_role}")


@person.command
def ban(who: Who, *, reason: str) -> None:
    """Close somebody's account: a live call ends at once, and every way in is barred.

    Parameters
    ----------
    reason
        Why; it stays in the audit trail.
    """
    print(f"{_set_standing(who, Standing.BANNED, reason).id}: banned")


@person.command
def unban(who: Who, *, reason: str) -> None:
    """Open a closed account again. The person has to sign in anew.

    Parameters
    ----------
    reason
        Why; it stays in the audit trail.
    """
    print(f"{_set_standing(who, Standing.GOOD, reason).id}: in good standing")


def _set_standing(who: str, standing: Standing, reason: str) -> Person:
    async def work(house: House) -> Person:
        found = await _find(house, who)
        await barring.set_standing(house, found.id, standing, actor=_actor(), reason=reason)
        return found

    return _with_house(work)


# --- the candidate index


@index.command
def rebuild() -> None:
    """Build the candidate index anew from Postgres. Safe while servers run; they do it by themselves when the cache has
    forgotten."""

    async def work(house: House) -> str:
        return await index_status.rebuild(house.keeper, lambda line: print(line, file=sys.stderr, flush=True))

    print(_with_house(work))


@index.command
def status(*, json: bool = False) -> None:
    """How many volunteers may be rung now, by language and readiness, and what the index takes.

    Parameters
    ----------
    json
        Print one JSON object instead of a table.
    """

    async def work(house: House) -> str:
        lines = await index_status.status(house.index)
        return index_status.as_json(lines) if json else index_status.as_text(lines)

    print(_with_house(work))


if __name__ == "__main__":
    main()
