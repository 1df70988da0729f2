"""What people do with their accounts: sign in by mail code, stay signed in, sign out, keep a profile."""

from __future__ import annotations

import hmac
import math
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from accounts import audit, codes, consent, languages, outbox, snooze, store, tokens
from accounts.codes import Asker
from accounts.errors import (
    AdultsOnly,
    Barred,
    CodeExhausted,
    CodeWrong,
    ConsentMissing,
    PersonUnknown,
    ProfileIncomplete,
    RefreshInvalid,
    RoleFixed,
    TokenInvalid,
    TooManyCodes,
)
from accounts.keys import Keyring
from accounts.model import Person, QuietWindow, Role, Standing, checked_alias, checked_time_zone, new_id
from accounts.postgres import Connection, Pool, borrowed, transaction
from accounts.settings import AccountSettings


class MailedCode(msgspec.Struct, frozen=True):
    """A code to be mailed: the only place where it is plain."""

    email: str
    code: str
    locale: str


class SignedIn(msgspec.Struct, frozen=True):
    """What a device gets when it signs in or refreshes."""

    person: Person
    access_token: str
    expires_in: int
    refresh_token: str
    refresh_life: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A profile as asked for, unchecked. None keeps what is stored."""

    role: Role | None = None
    languages: Sequence[str] | None = None
    time_zone: str | None = None
    quiet_hours: Sequence[QuietWindow] | None = None
    alerts_per_day: int | None = None
    snooze: float | datetime | UnsetType | None = UNSET
    """Pause alerts for so many hours, or until then; None ends a pause."""
    muted_languages: Sequence[str] | None = None
    alias: str | None = None
    consent: bool | str | None = None
    adult: bool | None = None
    locale: str | None = None


class AccountService:
    """Sign-in, devices and profiles over one Postgres. `clock` gives Unix time, for tokens and pauses."""

    def __init__(self, pool: Pool, keys: Keyring, settings: AccountSettings, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._keys = keys
        self._settings = settings
        self._clock = clock

    # --- sign-in

    async def ask_code(self, email: str, asker: Asker, locale: str) -> MailedCode:
        """Make a code for `email`, known or not: the answer must not tell. Raises `EmailInvalid`, `TooManyCodes`."""
        address = codes.canonical_email(email)
        mailed = MailedCode(address, codes.new_code(), locale)
        code_id = new_id()
        network = codes.network_hash(self._keys, asker)
        settings = self._settings
        async with transaction(self._pool) as connection:
            by_email, by_network, wait = await store.count_codes(connection, address, network, settings.code_window)
            if by_email >= settings.codes_per_address or by_network >= settings.codes_per_network:
                raise TooManyCodes(retry_after=max(1, math.ceil(wait)))
            await store.add_code(
                connection,
                code_id,
                address,
                codes.code_hash(self._keys, code_id, mailed.code),
                codes.browser_hash(self._keys, asker),
                network,
                locale,
                settings.code_life,
            )
        return mailed

    async def verify_code(self, email: str, code: str, asker: Asker) -> SignedIn:
        """Sign in with a mailed code; the first time, this creates the account.
        Raises `CodeWrong`, `CodeExhausted`, `Barred`."""
        address = codes.canonical_email(email)
        tried = codes.typed(code)
        async with borrowed(self._pool) as connection:
            live = await store.try_codes(connection, address, codes.browser_hash(self._keys, asker))
            if not live:
                raise CodeWrong()
            usable = [one for one in live if one.tries <= self._settings.code_tries]
            if not usable:
                raise CodeExhausted()
            right = [
                one for one in usable if hmac.compare_digest(one.code_hash, codes.code_hash(self._keys, one.id, tried))
            ]
            if not right:
                raise CodeWrong()
            async with connection.transaction():
                if not await store.use_code(connection, right[0].id):
                    raise CodeWrong()
                person, added = await store.find_or_add(connection, new_id(), address, right[0].locale)
                if person.standing.barred:
                    raise Barred()
                if added:
                    await audit.append(connection, str(person.id), "accounts:person:create", person.id)
                return await self._open_device(connection, person)

    async def sign_in_ready_made(self, person_id: UUID) -> SignedIn:
        """Sign in without a code: for the ready-made people of a development server only."""
        async with transaction(self._pool) as connection:
            person = await store.by_id(connection, person_id)
            if person is None:
                raise PersonUnknown(who=person_id)
            if person.standing.barred:
                raise Barred()
            return await self._open_device(connection, person)

    async def _open_device(self, connection: Connection, person: Person) -> SignedIn:
        family, salt = new_id(), secrets.token_bytes(16)
        await store.add_family(connection, family, person.id, salt, self._settings.refresh_life)
        return self._grant(person, family, 1, salt)

    def _grant(self, person: Person, family: UUID, generation: int, salt: bytes) -> SignedIn:
        life = self._settings.access_token_life
        access = tokens.Access(person.id, family, person.token_epoch)
        return SignedIn(
            person,
            tokens.issue_access(self._keys, access, self._clock(), life),
            life,
            tokens.issue_refresh(self._keys, family, generation, salt),
            self._settings.refresh_life,
        )

    # --- staying and being signed in

    async def refresh(self, token: str) -> SignedIn:
        """The next tokens of a device. A repeat within ten seconds gets the same successor, for its first reply may
        have been lost; a later one means the token was copied, and ends the device. Raises `RefreshInvalid`, `Barred`.
        """
        refresh = tokens.read_refresh(token)
        async with transaction(self._pool) as connection:
            family = await store.live_family(connection, refresh.family, lock=True)
            if family is None or not tokens.proves(self._keys, refresh, family.salt):
                raise RefreshInvalid()
            person = await store.by_id(connection, family.person_id)
            if person is None:
                raise RefreshInvalid()
            if person.standing.barred:
                raise Barred()
            behind = family.generation - refresh.generation
            if behind == 0:
                await store.rotate(connection, family.id, self._settings.refresh_life)
                return self._grant(person, family.id, family.generation + 1, family.salt)
            if behind == 1 and family.since_rotation <= self._settings.refresh_grace:
                return self._grant(person, family.id, family.generation, family.salt)
            # Not raised here: the revocation must be committed.
            await store.revoke(connection, family.id, "reuse")
            await audit.append(connection, audit.SYSTEM, "accounts:device:reuse", person.id)
        raise RefreshInvalid()

    async def who(self, access_token: str) -> tuple[Person, UUID]:
        """The person and device behind an access token, with ban and sign-out biting at once.
        Raises `TokenInvalid`, `Barred`."""
        access = tokens.read_access(self._keys, access_token)
        person = await self.still_here(access.person, access.family)
        if person.token_epoch != access.epoch:
            raise TokenInvalid()
        return person, access.family

    async def who_holds(self, refresh_token: str) -> Person:
        """The person behind a refresh cookie, without rotating it: for pages that must work without JavaScript.
        Raises `RefreshInvalid`, `Barred`."""
        refresh = tokens.read_refresh(refresh_token)
        async with borrowed(self._pool) as connection:
            family = await store.live_family(connection, refresh.family, lock=False)
            if family is None or not tokens.proves(self._keys, refresh, family.salt):
                raise RefreshInvalid()
            if family.generation - refresh.generation > 1:
                raise RefreshInvalid()
            person = await store.by_id(connection, family.person_id)
        if person is None:
            raise RefreshInvalid()
        if person.standing.barred:
            raise Barred()
        return person

    async def person(self, person_id: UUID) -> Person:
        """The person as they are now. Raises `PersonUnknown`."""
        async with borrowed(self._pool) as connection:
            person = await store.by_id(connection, person_id)
        if person is None:
            raise PersonUnknown(who=person_id)
        return person

    async def still_here(self, person_id: UUID, family: UUID) -> Person:
        """The person as they are now, if that device is still signed in. Raises `TokenInvalid`, `Barred`."""
        async with borrowed(self._pool) as connection:
            found = await store.signed_in(connection, family, person_id)
        if found is None:
            raise TokenInvalid()
        person, live = found
        # Before the rest: a ban also ends every sign-in, and the person should hear which of the two it was.
        if person.standing.barred:
            raise Barred()
        if not live:
            raise TokenInvalid()
        return person

    async def sign_out(self, refresh_token: str) -> None:
        """End this device's sign-in. A token that is not ours ends nothing, and says so to nobody."""
        try:
            refresh = tokens.read_refresh(refresh_token)
        except RefreshInvalid:
            return
        async with transaction(self._pool) as connection:
            family = await store.live_family(connection, refresh.family, lock=True)
            if family is not None and tokens.proves(self._keys, refresh, family.salt):
                await store.revoke(connection, family.id, "logout")

    async def sign_out_everywhere(self, person_id: UUID) -> list[outbox.Parcel]:
        """End every device's sign-in, and every access token at once. The parcels close the open sockets."""
        async with transaction(self._pool) as connection:
            await store.revoke_all(connection, person_id, "everywhere")
            await store.raise_epoch(connection, person_id)
            await audit.append(connection, str(person_id), "accounts:person:sign_out", person_id)
            return await outbox.put(connection, "signed_out", [(person_id, {})])

    # --- profile

    async def update_profile(self, person: Person, asked: Profile) -> Person:
        """Store a profile. Raises the error that names the field at fault."""
        role = asked.role or person.role
        if role is None:
            raise ProfileIncomplete()
        adult = person.adult or bool(asked.adult)
        if role is Role.VOLUNTEER and not adult:
            raise AdultsOnly()
        agreed = consent.accepted(asked.consent) if asked.consent is not None else person.consent
        if agreed is None:
            raise ConsentMissing(version=consent.CURRENT)
        quiet = person.quiet_hours
        if asked.quiet_hours is not None:
            quiet = tuple(window.checked() for window in asked.quiet_hours)
        tags = languages.canonical_all(
            person.languages if asked.languages is None else asked.languages, self._settings.languages_at_most
        )
        # A muted language that is not spoken any more is no mistake: it falls out with it.
        muted = [tag for tag in person.muted_languages if tag in tags]
        if asked.muted_languages is not None:
            muted = languages.muted(asked.muted_languages, tags)
        until = person.snoozed_until
        if asked.snooze is not UNSET:
            until = snooze.checked(asked.snooze, datetime.fromtimestamp(self._clock(), UTC))
        alerts = person.alerts_per_day if asked.alerts_per_day is None else asked.alerts_per_day
        async with transaction(self._pool) as connection:
            stored = await store.update_profile(
                connection,
                person.id,
                role=role,
                languages=tags,
                time_zone=checked_time_zone(asked.time_zone) if asked.time_zone is not None else person.time_zone,
                quiet_hours=quiet,
                alerts_per_day=max(0, min(alerts, self._settings.alerts_per_day_at_most)),
                alias=checked_alias(asked.alias) if asked.alias is not None else person.alias,
                adult=adult,
                consent=agreed,
                locale=asked.locale or person.locale,
                snoozed_until=until,
                muted_languages=muted,
            )
            if stored is None:
                raise RoleFixed()
            await store.add_consent(connection, person.id, agreed)
        return stored


async def set_standing(
    connection: Connection, person_id: UUID, standing: Standing, *, actor: str, reason: str
) -> list[outbox.Parcel]:
    """Give a person a standing, in the caller's transaction: tokens die, devices are signed out, an audit row says who
    did it, and a parcel tells the person's sockets. The caller ends calls and requests in the same transaction.
    Raises `PersonUnknown`."""
    if not await store.set_standing(connection, person_id, standing):
        raise PersonUnknown(who=person_id)
    if standing.barred:
        await store.revoke_all(connection, person_id, "banned")
    await audit.append(connection, actor, f"staff:person:{standing}", person_id, reason=reason)
    return await outbox.put(connection, "standing", [(person_id, {"standing": standing})])
