"""What an installation needs, checked part by part, each with what to do."""

from __future__ import annotations

import shutil
import socket
import time
from typing import Literal

import aiosmtplib
import asyncpg
import jwt
import msgspec

from accounts.errors import Unavailable
from accounts.keys import Keyring
from accounts.postgres import LOST
from matching.board import answering, connect
from signaling import migrate
from signaling.push.web_push import Vapid
from signaling.settings import Settings

State = Literal["good", "note", "bad"]
OLDEST_POSTGRES = 15
OLDEST_REDIS = 7
LEAST_DISK = 2 * 1024**3
CLOCK_DIFFERENCE = 2.0
PATIENCE = 5.0


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    part: str
    state: State
    found: str
    advice: str = ""


async def examine(settings: Settings, database_url: str, redis_url: str) -> list[Finding]:
    """Look at everything; nothing is changed."""
    return [
        *await _database(database_url),
        *await _cache(redis_url),
        _secret(settings),
        _address(settings),
        await _mail(settings),
        _turn(settings),
        _push(settings),
        _disk(settings),
    ]


async def _database(url: str) -> list[Finding]:
    try:
        connection = await asyncpg.connect(url, timeout=PATIENCE)
    except (*LOST, asyncpg.PostgresError) as error:
        advice = "Check DATABASE_URL, and that Postgres runs and lets this machine in."
        return [Finding("database", "bad", f"cannot connect ({type(error).__name__})", advice)]
    try:
        version = connection.get_server_version()
        clock = float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
        missing = await migrate.pending(connection)
    finally:
        await connection.close()
    findings = [
        Finding("database", "good", f"Postgres {version.major}")
        if version.major >= OLDEST_POSTGRES
        else Finding("database", "bad", f"Postgres {version.major}", f"visavis needs {OLDEST_POSTGRES} or newer.")
    ]
    if missing:
        findings.append(Finding("migrations", "bad", f"{len(missing)} missing", "Run: visavis migrate"))
    else:
        findings.append(Finding("migrations", "good", "all applied"))
    apart = abs(clock - time.time())
    if apart > CLOCK_DIFFERENCE:
        advice = "Run a time service (chrony or systemd-timesyncd) on both machines."
        findings.append(Finding("clock", "bad", f"{apart:.0f} s apart from the database's", advice))
    else:
        findings.append(Finding("clock", "good", "agrees with the database's"))
    return findings


async def _cache(url: str) -> list[Finding]:
    try:
        client = await connect(url, patience=PATIENCE, size=2)
        async with answering():
            info = await client.info("server")
        await client.aclose()
    except Unavailable:
        advice = "Check REDIS_URL, and that Valkey or Redis runs and lets this machine in."
        return [Finding("cache", "bad", "cannot connect", advice)]
    version = str(info.get("valkey_version") or info.get("redis_version", "?"))
    name = "Valkey" if "valkey_version" in info else "Redis"
    if int(version.split(".")[0]) < OLDEST_REDIS:
        return [Finding("cache", "bad", f"{name} {version}", f"visavis needs {OLDEST_REDIS} or newer.")]
    return [Finding("cache", "good", f"{name} {version}")]


def _secret(settings: Settings) -> Finding:
    if settings.secret is not None:
        return Finding("secret", "good", "SECRET_KEY is set")
    return Finding(
        "secret",
        "note",
        "kept in DATA_DIR",
        "Back it up with the database. Several servers need the same one: set SECRET_KEY.",
    )


def _address(settings: Settings) -> Finding:
    if settings.secure:
        return Finding("address", "good", settings.public_url)
    advice = (
        "Other people's browsers give no camera to a page without https: set PUBLIC_URL, and put a TLS proxy before."
    )
    return Finding("address", "note", settings.public_url, advice)


async def _mail(settings: Settings) -> Finding:
    if settings.smtp_url is None:
        return Finding("mail", "note", "not set up", "Set SMTP_URL, or nobody can sign in by mail code.")
    from signaling.mail import SmtpPost

    post = SmtpPost(settings.smtp_url, settings.mail_from)
    try:
        await post.greet(PATIENCE)
    except (aiosmtplib.SMTPException, OSError) as error:
        return Finding(
            "mail", "bad", f"refused ({type(error).__name__})", "Check SMTP_URL: host, port, user, password."
        )
    return Finding("mail", "good", "the mail server lets us in")


def _turn(settings: Settings) -> Finding:
    if not settings.turn_urls:
        advice = (
            "Set TURN_URLS and TURN_SECRET. Without a relay, calls fail behind many firewalls and show each side the "
            "other's address."
        )
        return Finding("relay", "note", "no TURN server", advice)
    for url in settings.turn_urls:
        host = url.split(":", 1)[1].split("?")[0].rsplit(":", 1)[0]
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            return Finding("relay", "bad", f"{host} has no address", "Check TURN_URLS and the name's DNS entry.")
    return Finding("relay", "good", f"{len(settings.turn_urls)} addresses")


def _push(settings: Settings) -> Finding:
    kept = settings.data_dir / "secret"
    secret = settings.secret or (kept.read_bytes().strip() if kept.is_file() else None)
    if secret is None:
        return Finding("push", "note", "the key comes with the secret, at the first start")
    origin = "https://push.example"
    try:
        keys = Keyring(secret)
        token = Vapid(keys, settings.contact).authorization(origin).partition("t=")[2].partition(",")[0]
        jwt.decode(token, keys.current.push_key.public_key(), algorithms=["ES256"], audience=origin)
    except (ValueError, jwt.PyJWTError) as error:
        return Finding("push", "bad", f"our key cannot sign ({type(error).__name__})", "Set SECRET_KEY anew.")
    kinds = ["browsers", *(["Android apps"] if settings.fcm else []), *(["iOS apps"] if settings.apns else [])]
    if not settings.secure or "." not in settings.contact.rpartition("@")[2]:
        advice = (
            "Browsers and push services want https in PUBLIC_URL and an address in MAIL_FROM that can be written to."
        )
        return Finding("push", "note", f"{', '.join(kinds)}, with {settings.contact}", advice)
    return Finding("push", "good", ", ".join(kinds))


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir if settings.data_dir.exists() else settings.data_dir.parent
    free = shutil.disk_usage(folder).free
    if free < LEAST_DISK:
        return Finding(
            "disk", "bad", f"{free / 1024**3:.1f} GiB free", "Make room: the database stops when it is full."
        )
    return Finding("disk", "good", f"{free / 1024**3:.0f} GiB free")


MARKS = {"good": "✔", "note": "•", "bad": "✘"}


def as_text(findings: list[Finding]) -> str:
    """Lines for people."""
    lines = []
    for each in findings:
        lines.append(f"{MARKS[each.state]} {each.part:<11} {each.state:<5} {each.found}")
        if each.advice:
            lines.append(f"  {'':<17} {each.advice}")
    return "\n".join(lines)


def as_json(findings: list[Finding]) -> str:
    """One object."""
    return msgspec.json.encode({"findings": findings}).decode()
