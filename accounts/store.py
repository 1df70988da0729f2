"""The SQL of people, codes and devices. Times are the database's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from accounts.model import Person, QuietWindow, Role, StaffRole, Standing
from accounts.postgres import Connection, Row

_PERSON = """
p.id, p.email, p.role, p.staff_role, p.standing, p.token_epoch, p.locale, p.languages, p.time_zone, p.quiet_hours,
p.alerts_per_day, CASE WHEN p.snoozed_until > now() THEN p.snoozed_until END AS snoozed_until, p.muted_languages,
p.alias, p.adult, p.consent, p.created_at, p.completed_at
"""


def _person(row: Row) -> Person:
    return Person(
        id=row["id"],
        email=row["email"],
        role=Role(row["role"]) if row["role"] else None,
        staff_role=StaffRole(row["staff_role"]) if row["staff_role"] else None,
        standing=Standing(row["standing"]),
        token_epoch=row["token_epoch"],
        locale=row["locale"],
        languages=tuple(row["languages"]),
        time_zone=row["time_zone"],
        quiet_hours=tuple(msgspec.convert(row["quiet_hours"], list[QuietWindow])),
        alerts_per_day=row["alerts_per_day"],
        snoozed_until=row["snoozed_until"],
        muted_languages=tuple(row["muted_languages"]),
        alias=row["alias"],
        adult=row["adult"],
        consent=row["consent"],
        created_at=row["created_at"],
        completed_at=row["completed_at"],
    )


BY_ID = f"SELECT {_PERSON} FROM accounts.person p WHERE p.id = $1 AND p.erased_at IS NULL"


async def by_id(connection: Connection, person_id: UUID) -> Person | None:
    row = await connection.fetchrow(BY_ID, person_id)
    return _person(row) if row else None


BY_EMAIL = f"SELECT {_PERSON} FROM accounts.person p WHERE p.email = $1"


async def by_email(connection: Connection, email: str) -> Person | None:
    row = await connection.fetchrow(BY_EMAIL, email)
    return _person(row) if row else None


LISTED = f"""
SELECT {_PERSON} FROM accounts.person p
WHERE p.erased_at IS NULL AND ($1::text IS NULL OR p.standing = $1) AND ($2::text IS NULL OR p.role = $2)
ORDER BY p.created_at DESC LIMIT $3
"""


async def listed(connection: Connection, standing: str | None, role: str | None, at_most: int) -> list[Person]:
    return [_person(row) for row in await connection.fetch(LISTED, standing, role, at_most)]


# ON CONFLICT with an update that changes nothing: two first sign-ins of one address at once get the same row.
FIND_OR_ADD = f"""
WITH added AS (
    INSERT INTO accounts.person AS p (id, email, locale) VALUES ($1, $2, $3)
    ON CONFLICT (email) DO UPDATE SET email = excluded.email
    RETURNING {_PERSON}
)
SELECT p.*, p.id = $1 AS added FROM added p
"""


async def find_or_add(connection: Connection, new_id: UUID, email: str, locale: str) -> tuple[Person, bool]:
    """The person with that address, and whether they are new."""
    row = await connection.fetchrow(FIND_OR_ADD, new_id, email, locale)
    assert row is not None
    return _person(row), row["added"]


# The role is set while it is null; a second, different one leaves no row (and so is refused).
UPDATE_PROFILE = f"""
UPDATE accounts.person p SET
    role = $2, languages = $3, time_zone = $4, quiet_hours = $5, alerts_per_day = $6, alias = $7,
    adult = p.adult OR $8, consent = $9, locale = $10, snoozed_until = $11, muted_languages = $12,
    completed_at = coalesce(p.completed_at, now())
WHERE p.id = $1 AND (p.role IS NULL OR p.role = $2) AND p.erased_at IS NULL
RETURNING {_PERSON}
"""


async def update_profile(
    connection: Connection,
    person_id: UUID,
    *,
    role: Role,
    languages: Sequence[str],
    time_zone: str,
    quiet_hours: Sequence[QuietWindow],
    alerts_per_day: int,
    alias: str | None,
    adult: bool,
    consent: str,
    locale: str,
    snoozed_until: datetime | None,
    muted_languages: Sequence[str],
) -> Person | None:
    row = await connection.fetchrow(
        UPDATE_PROFILE,
        person_id,
        role,
        list(languages),
        time_zone,
        list(quiet_hours),
        alerts_per_day,
        alias,
        adult,
        consent,
        locale,
        snoozed_until,
        list(muted_languages),
    )
    return _person(row) if row else None


ADD_CONSENT = "INSERT INTO accounts.consent (person_id, version) VALUES ($1, $2) ON CONFLICT DO NOTHING"


async def add_consent(connection: Connection, person_id: UUID, version: str) -> None:
    await connection.execute(ADD_CONSENT, person_id, version)


# FOR NO KEY UPDATE is what makes a ban wait for claims that hold the row FOR SHARE, and later claims wait for it.
SET_STANDING = """
UPDATE accounts.person SET standing = $2, decision_id = $3, standing_until = $4,
    token_epoch = token_epoch + CASE WHEN $2 IN ('suspended', 'banned') THEN 1 ELSE 0 END
WHERE id = $1 AND erased_at IS NULL
RETURNING token_epoch
"""


async def set_standing(connection: Connection, person_id: UUID, standing: Standing) -> bool:
    return await connection.fetchval(SET_STANDING, person_id, standing, None, None) is not None


SET_STAFF_ROLE = "UPDATE accounts.person SET staff_role = $2 WHERE id = $1 AND erased_at IS NULL RETURNING id"


async def set_staff_role(connection: Connection, person_id: UUID, staff_role: StaffRole | None) -> bool:
    return await connection.fetchval(SET_STAFF_ROLE, person_id, staff_role) is not None


RAISE_EPOCH = "UPDATE accounts.person SET token_epoch = token_epoch + 1 WHERE id = $1"


async def raise_epoch(connection: Connection, person_id: UUID) -> None:
    """Make every access token of the person worthless at once."""
    await connection.execute(RAISE_EPOCH, person_id)


# --- mail codes

COUNT_CODES = """
SELECT
  count(*) FILTER (WHERE email = $1) AS by_email,
  count(*) FILTER (WHERE network_hash = $2) AS by_network,
  extract(epoch FROM min(created_at) + make_interval(secs => $3) - now())::float8 AS wait
FROM accounts.sign_in_code
WHERE (email = $1 OR network_hash = $2) AND created_at > now() - make_interval(secs => $3)
"""


async def count_codes(connection: Connection, email: str, network: bytes, window: float) -> tuple[int, int, float]:
    """Codes asked for within `window` seconds, by address and by network, and seconds until the oldest leaves it."""
    row = await connection.fetchrow(COUNT_CODES, email, network, window)
    assert row is not None
    return row["by_email"], row["by_network"], row["wait"] or 0.0


ADD_CODE = """
INSERT INTO accounts.sign_in_code (id, email, code_hash, browser_hash, network_hash, locale, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
"""


async def add_code(
    connection: Connection,
    code_id: UUID,
    email: str,
    code_hash: bytes,
    browser: bytes,
    network: bytes,
    locale: str,
    life: float,
) -> None:
    await connection.execute(ADD_CODE, code_id, email, code_hash, browser, network, locale, life)


# The try is counted by the statement that hands out the hashes, so racing guesses are counted too.
TRY_CODES = """
UPDATE accounts.sign_in_code SET tries = least(tries + 1, 1000)
WHERE email = $1 AND browser_hash = $2 AND used_at IS NULL AND expires_at > now()
RETURNING id, code_hash, tries, locale
"""


class LiveCode(msgspec.Struct, frozen=True):
    """A code that may still be used, with this try counted."""

    id: UUID
    code_hash: bytes
    tries: int
    locale: str


async def try_codes(connection: Connection, email: str, browser: bytes) -> list[LiveCode]:
    """The unused, unexpired codes of this address and browser."""
    rows = await connection.fetch(TRY_CODES, email, browser)
    return [LiveCode(row["id"], row["code_hash"], row["tries"], row["locale"]) for row in rows]


USE_CODE = "UPDATE accounts.sign_in_code SET used_at = now() WHERE id = $1 AND used_at IS NULL RETURNING id"


async def use_code(connection: Connection, code_id: UUID) -> bool:
    """Spend the code; false if somebody else just did."""
    return await connection.fetchval(USE_CODE, code_id) is not None


FORGET_CODES = "DELETE FROM accounts.sign_in_code WHERE created_at < now() - make_interval(secs => $1)"


async def forget_codes(connection: Connection, older_than: float) -> None:
    await connection.execute(FORGET_CODES, older_than)


# --- devices (refresh families)

ADD_FAMILY = """
INSERT INTO accounts.refresh_family (id, person_id, salt, expires_at)
VALUES ($1, $2, $3, now() + make_interval(secs => $4))
"""


async def add_family(connection: Connection, family: UUID, person_id: UUID, salt: bytes, life: float) -> None:
    await connection.execute(ADD_FAMILY, family, person_id, salt, life)


class Family(msgspec.Struct, frozen=True):
    """A signed-in device."""

    id: UUID
    person_id: UUID
    salt: bytes
    generation: int
    since_rotation: float
    """Seconds since the current generation was made."""


# Locked, so that two refreshes at once see one another's rotation.
LIVE_FAMILY = """
SELECT id, person_id, salt, generation, extract(epoch FROM now() - rotated_at)::float8 AS since_rotation
FROM accounts.refresh_family
WHERE id = $1 AND revoked_at IS NULL AND expires_at > now()
FOR UPDATE
"""
SEE_FAMILY = LIVE_FAMILY.replace("FOR UPDATE", "")


async def live_family(connection: Connection, family: UUID, *, lock: bool) -> Family | None:
    row = await connection.fetchrow(LIVE_FAMILY if lock else SEE_FAMILY, family)
    return Family(*row.values()) if row else None


ROTATE = """
UPDATE accounts.refresh_family
SET generation = generation + 1, rotated_at = now(), expires_at = now() + make_interval(secs => $2)
WHERE id = $1
"""


async def rotate(connection: Connection, family: UUID, life: float) -> None:
    await connection.execute(ROTATE, family, life)


# Where somebody has signed out, they are not rung any more.
REVOKE = """
WITH ended AS (
    UPDATE accounts.refresh_family SET revoked_at = now(), revoked_for = $2
    WHERE id = $1 AND revoked_at IS NULL
    RETURNING id)
DELETE FROM accounts.device d USING ended e WHERE d.family_id = e.id
"""


async def revoke(connection: Connection, family: UUID, reason: str) -> None:
    await connection.execute(REVOKE, family, reason)


REVOKE_ALL = """
WITH ended AS (
    UPDATE accounts.refresh_family SET revoked_at = now(), revoked_for = $2
    WHERE person_id = $1 AND revoked_at IS NULL)
DELETE FROM accounts.device WHERE person_id = $1
"""


async def revoke_all(connection: Connection, person_id: UUID, reason: str) -> None:
    await connection.execute(REVOKE_ALL, person_id, reason)


SIGNED_IN = f"""
SELECT {_PERSON}, f.revoked_at IS NULL AS live
FROM accounts.person p
JOIN accounts.refresh_family f ON f.person_id = p.id
WHERE f.id = $1 AND p.id = $2 AND p.erased_at IS NULL
"""


async def signed_in(connection: Connection, family: UUID, person_id: UUID) -> tuple[Person, bool] | None:
    """The person a device belongs to, and whether it is still signed in."""
    row = await connection.fetchrow(SIGNED_IN, family, person_id)
    return (_person(row), row["live"]) if row else None
