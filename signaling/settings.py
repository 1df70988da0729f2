"""Everything an operator can set, read from the environment once at start.

The names without a prefix are the operator's (`PORT`, `DATABASE_URL`, …). The numbers of a floor can be set by its
name, as in `MATCHING_RING_TIME=20` or `SESSION_HEARTBEAT=15`; a name that does not exist is an error, not a shrug."""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from accounts.settings import AccountSettings
from matching.settings import MatchingSettings
from rating.settings import RatingSettings
from signaling.push import addresses, apns, fcm
from signaling.push.settings import PushSettings
from signaling.session import SessionSettings


class SettingsError(Exception):
    """A setting that cannot be: the message says which, why, and what would be right."""


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How often one person or one network may do what costs us something. Each: this many a minute."""

    factor: float = 1
    """Multiplies every limit; development uses a large one."""
    http_per_network: int = 600
    asks_per_person: int = 20
    sign_ins_per_network: int = 60
    tickets_per_person: int = 60
    restarts_per_call: int = 12
    devices_per_person: int = 30


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration of one server process."""

    development: bool
    host: str
    port: int
    public_url: str
    """How browsers reach us, without a slash at the end."""
    origins: tuple[str, ...]
    """The exact origins whose pages may open a socket."""
    data_dir: Path
    database_url: str | None
    redis_url: str | None
    index_url: str | None
    """Where the candidate index lives; None: where the rest does."""
    redis_prefix: str
    secret: bytes | None
    secret_previous: bytes | None
    smtp_url: str | None
    mail_from: str
    turn_urls: tuple[str, ...]
    turn_secret: str
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    """Networks whose `X-Forwarded-For` is believed."""
    database_connections: int
    push_services: addresses.Allowed
    fcm: fcm.Credentials | None
    apns: apns.Account | None
    accounts: AccountSettings
    matching: MatchingSettings
    rating: RatingSettings
    session: SessionSettings
    limits: LimitSettings
    push: PushSettings

    @property
    def secure(self) -> bool:
        """Whether browsers come by https, so that cookies can be bound to it."""
        return self.public_url.startswith("https://")

    @property
    def contact(self) -> str:
        """Whom a push service may write to about what we send (RFC 8292 section 2.1)."""
        return f"mailto:{parseaddr(self.mail_from)[1]}"


# Whoever tries, tests or measures a development server does in a minute what people do in a year.
GENEROUS_SESSION = {"frames_a_second": 5_000, "frames_at_once": 10_000}
GENEROUS_LIMITS = {"factor": 1000}
OPERATORS = {
    "HOST": "address to listen on (127.0.0.1)",
    "PORT": "port to listen on (8080)",
    "PUBLIC_URL": "how browsers reach the server (http://localhost:PORT)",
    "ORIGINS": "further exact origins whose pages may connect, separated by spaces",
    "DATA_DIR": "where the embedded database, keys and logs live (./var)",
    "DATABASE_URL": "Postgres 15 or newer; not set: an embedded one",
    "REDIS_URL": "Valkey or Redis 7 or newer; not set: an embedded one",
    "INDEX_URL": "a cache of its own for the candidate index; redis+cluster://… is a cluster; not set: REDIS_URL",
    "REDIS_PREFIX": "what our keys begin with, where the cache is shared (visavis:)",
    "SECRET_KEY": "at least 32 random characters; not set: made once in DATA_DIR",
    "SECRET_KEY_PREVIOUS": "the former SECRET_KEY, while it is being changed",
    "SMTP_URL": "smtp://USER:PASSWORD@HOST:587 (STARTTLS) or smtps://…:465; not set: no mail outside development",
    "MAIL_FROM": "sender of our mails (visavis@HOST of PUBLIC_URL)",
    "TURN_URLS": "turn: and turns: addresses of our own relay, separated by spaces",
    "TURN_SECRET": "the secret shared with it (coturn: static-auth-secret)",
    "TRUSTED_PROXIES": "networks whose X-Forwarded-For is believed, separated by spaces",
    "DATABASE_CONNECTIONS": "connections to Postgres a process (10)",
    "FCM_CREDENTIALS": "file of a Google service account, to ring Android apps; not set: none are rung",
    "APNS_KEY": "file of an Apple push key (.p8), to ring iOS apps; not set: none are rung",
    "APNS_KEY_ID": "its key id",
    "APNS_TEAM_ID": "the team it belongs to",
    "APNS_TOPIC": "the app's bundle id",
    "APNS_SANDBOX": "yes: apps that were built for development",
}
"""Every setting an operator has, with a word on it; `visavis --help` prints them."""

T = TypeVar("T", bound=msgspec.Struct)


def read(environ: Mapping[str, str] = os.environ, *, development: bool = False) -> Settings:
    """The settings of this process. Raises `SettingsError`."""
    port = _number(environ, "PORT", 8080, 0, 65_535)
    public_url = (environ.get("PUBLIC_URL") or f"http://localhost:{port}").rstrip("/")
    parts = urlsplit(public_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise SettingsError(f"PUBLIC_URL must be like https://visavis.example, without a path; it is “{public_url}”.")
    if not development and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise SettingsError("PUBLIC_URL must begin with https://: without it browsers give no camera to the page.")
    turn_urls = tuple(environ.get("TURN_URLS", "").split())
    if any(not url.startswith(("turn:", "turns:")) for url in turn_urls):
        raise SettingsError("TURN_URLS must be addresses like turn:turn.visavis.example:3478?transport=udp.")
    if turn_urls and not environ.get("TURN_SECRET"):
        raise SettingsError("TURN_URLS is set, so TURN_SECRET must be too: the static-auth-secret of your coturn.")
    origins = [f"{parts.scheme}://{parts.netloc}", *environ.get("ORIGINS", "").split()]
    if development:
        origins += [f"http://{host}:{port}" for host in ("localhost", "127.0.0.1", "[::1]")]
    push = _numbers(environ, "PUSH", PushSettings)
    try:
        push_services = addresses.read_hosts(push.hosts, development=development)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return Settings(
        development=development,
        host=environ.get("HOST") or "127.0.0.1",
        port=port,
        public_url=public_url,
        origins=tuple(dict.fromkeys(origins)),
        data_dir=Path(environ.get("DATA_DIR") or "var").absolute(),
        database_url=_url(environ, "DATABASE_URL", ("postgres", "postgresql")),
        redis_url=_url(environ, "REDIS_URL", ("redis", "rediss", "unix")),
        index_url=_url(environ, "INDEX_URL", ("rediss+cluster", "rediss", "redis+cluster", "redis")),
        redis_prefix=environ.get("REDIS_PREFIX") or "visavis:",
        secret=_secret(environ, "SECRET_KEY"),
        secret_previous=_secret(environ, "SECRET_KEY_PREVIOUS"),
        smtp_url=_url(environ, "SMTP_URL", ("smtp", "smtps")),
        mail_from=environ.get("MAIL_FROM") or f"visavis@{parts.hostname}",
        turn_urls=turn_urls,
        turn_secret=environ.get("TURN_SECRET", ""),
        trusted_proxies=_networks(environ),
        database_connections=_number(environ, "DATABASE_CONNECTIONS", 10, 2, 1000),
        push_services=push_services,
        fcm=_fcm(environ),
        apns=_apns(environ),
        accounts=_numbers(environ, "ACCOUNTS", AccountSettings),
        matching=_numbers(environ, "MATCHING", MatchingSettings),
        rating=_numbers(environ, "RATING", RatingSettings),
        session=_numbers(environ, "SESSION", SessionSettings, GENEROUS_SESSION if development else {}),
        limits=_numbers(environ, "LIMITS", LimitSettings, GENEROUS_LIMITS if development else {}),
        push=push,
    )


def _number(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise SettingsError(f"{name} must be a number from {least} to {most}; it is “{text}”.")
    return int(text)


def _url(environ: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    url = environ.get(name)
    if not url:
        return None
    if urlsplit(url).scheme not in schemes:
        raise SettingsError(f"{name} must begin with {schemes[-1]}://.")  # the value may hold a password
    return url


def _secret(environ: Mapping[str, str], name: str) -> bytes | None:
    text = environ.get(name)
    if not text:
        return None
    if len(text) < 32:
        raise SettingsError(f"{name} needs at least 32 characters. Make one with: openssl rand -base64 48")
    return text.encode()


def _networks(environ: Mapping[str, str]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text) for text in environ.get("TRUSTED_PROXIES", "").split())
    except ValueError as error:
        raise SettingsError(f"TRUSTED_PROXIES must be networks like 10.0.0.0/8: {error}.") from error


def _fcm(environ: Mapping[str, str]) -> fcm.Credentials | None:
    path = environ.get("FCM_CREDENTIALS")
    if not path:
        return None
    try:
        return fcm.credentials(Path(path))
    except (OSError, ValueError) as error:
        why = f"FCM_CREDENTIALS must be the JSON file of a service account, as Google's console gives it out ({error})."
        raise SettingsError(why) from error


def _apns(environ: Mapping[str, str]) -> apns.Account | None:
    path = environ.get("APNS_KEY")
    if not path:
        return None
    missing = [name for name in ("APNS_KEY_ID", "APNS_TEAM_ID", "APNS_TOPIC") if not environ.get(name)]
    if missing:
        raise SettingsError(f"APNS_KEY is set, so {', '.join(missing)} must be too.")
    if not apns.installed():
        raise SettingsError("APNS_KEY needs HTTP/2, which is an extra: pip install 'visavis[apns]'.")
    sandbox = environ.get("APNS_SANDBOX") == "yes"
    try:
        return apns.account(
            Path(path), environ["APNS_KEY_ID"], environ["APNS_TEAM_ID"], environ["APNS_TOPIC"], sandbox=sandbox
        )
    except (OSError, ValueError) as error:
        raise SettingsError(f"APNS_KEY must be the .p8 file that Apple gives out once ({error}).") from error


def _numbers(environ: Mapping[str, str], prefix: str, kind: type[T], defaults: Mapping[str, Any] | None = None) -> T:
    known = set(kind.__struct_fields__)
    given: dict[str, Any] = dict(defaults or {})
    for name, text in environ.items():
        if not name.startswith(prefix + "_"):
            continue
        field = name.removeprefix(prefix + "_").lower()
        if field not in known:
            close = difflib.get_close_matches(field, known, 1)
            hint = f" Did you mean {prefix}_{close[0].upper()}?" if close else ""
            raise SettingsError(f"There is no setting {name}.{hint}")
        given[field] = text
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"One of the {prefix}_… settings cannot be: {error}.") from error
