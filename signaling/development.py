"""The ready-made people of a development server. The names are made up, the addresses lead nowhere (RFC 6761)."""

from __future__ import annotations

from uuid import UUID

import msgspec

from accounts import consent
from accounts.model import Role, StaffRole
from accounts.postgres import Pool, transaction
from signaling.settings import Settings


class ReadyMade(msgspec.Struct, frozen=True):
    """Somebody to try the server as."""

    name: str
    id: UUID
    email: str
    languages: tuple[str, ...]
    time_zone: str
    page: str
    role: Role | None = None
    staff_role: StaffRole | None = None
    alias: str | None = None


def _id(number: int) -> UUID:
    return UUID(f"00000000-0000-7000-8000-{number:012}")


PEOPLE = (
    ReadyMade("caller", _id(1), "caller@visavis.test", ("en", "fr"), "Europe/Paris", "/call", Role.CALLER),
    ReadyMade("caller-fr", _id(2), "caller-fr@visavis.test", ("fr",), "Europe/Paris", "/call", Role.CALLER),
    ReadyMade(
        "volunteer", _id(11), "volunteer@visavis.test", ("en",), "Europe/London", "/volunteer", Role.VOLUNTEER,
        alias="Robin",
    ),
    ReadyMade(
        "volunteer-2", _id(12), "volunteer-2@visavis.test", ("en", "de"), "Europe/Berlin", "/volunteer",
        Role.VOLUNTEER, alias="Kim",
    ),
    ReadyMade(
        "volunteer-fr", _id(13), "volunteer-fr@visavis.test", ("fr", "en"), "America/Montreal", "/volunteer",
        Role.VOLUNTEER, alias="Camille",
    ),
    ReadyMade(
        "staff", _id(21), "staff@visavis.test", ("en",), "Europe/London", "/staff", staff_role=StaffRole.SENIOR
    ),
)  # fmt: skip

SEED = """
INSERT INTO accounts.person
    (id, email, role, staff_role, languages, time_zone, alias, adult, consent, completed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, true, $8, CASE WHEN $3::text IS NULL THEN NULL ELSE now() END)
ON CONFLICT DO NOTHING
"""


async def seed(pool: Pool) -> None:
    """Make the people who are not there yet; those who are stay as they are."""
    async with transaction(pool) as connection:
        for who in PEOPLE:
            await connection.execute(
                SEED,
                who.id,
                who.email,
                who.role,
                who.staff_role,
                list(who.languages),
                who.time_zone,
                who.alias,
                consent.CURRENT,
            )


def find(name: str) -> ReadyMade | None:
    """The person of that name."""
    return next((who for who in PEOPLE if who.name == name), None)


class Link(msgspec.Struct, frozen=True):
    """A link that signs in as somebody."""

    name: str
    email: str
    role: str
    languages: tuple[str, ...]
    sign_in: str


def links(settings: Settings) -> list[Link]:
    """A sign-in link for each."""
    return [
        Link(
            who.name,
            who.email,
            str(who.role or "staff"),
            who.languages,
            f"{settings.public_url}/dev/sign-in/{who.name}",
        )
        for who in PEOPLE
    ]
