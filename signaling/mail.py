"""Mail: by SMTP, or into the mailbox of a development server. Sent in the background: an answer must not take longer
for an address that exists, and nobody waits for a mail server."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec
import structlog
from jinja2 import Environment

from matching.board import Redis, answering
from signaling.i18n import words

log = structlog.get_logger()

TRIES = 3
AT_ONCE = 8


class Mail(msgspec.Struct, frozen=True, omit_defaults=True):
    """A mail, as text; `code` is named apart so that tests need not read it out of the text."""

    to: str
    subject: str
    text: str
    code: str | None = None
    at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))


class Post(Protocol):
    """Brings a mail away."""

    async def bring(self, mail: Mail) -> None:
        """Raises what the carrier raises."""
        ...


class SmtpPost:
    """By SMTP with TLS; the URL names user, password, host and port."""

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        self._sender = sender
        self._host = parts.hostname or "localhost"
        self._tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 587)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None

    async def bring(self, mail: Mail) -> None:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        async with self._client(20) as client:
            await client.send_message(message)

    async def greet(self, patience: float) -> None:
        """Sign in at the mail server and leave again. Raises what aiosmtplib raises, `OSError` included."""
        async with self._client(patience) as client:
            await client.noop()

    def _client(self, patience: float) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password,
            use_tls=self._tls,
            timeout=patience,
        )


class DevelopmentPost:
    """Into a list in the cache, for `GET /dev/mail`."""

    def __init__(self, client: Redis, prefix: str = "visavis:") -> None:
        self._redis = client
        self._key = f"{prefix}dev:mail"

    async def bring(self, mail: Mail) -> None:
        async with answering():
            await self._redis.lpush(self._key, msgspec.json.encode(mail).decode())
            await self._redis.ltrim(self._key, 0, 999)

    async def sent(self, to: str | None) -> list[Mail]:
        """What was sent to an address, or at all; newest first."""
        async with answering():
            found = await self._redis.lrange(self._key, 0, -1)
        mails = [msgspec.json.decode(str(text), type=Mail) for text in found]
        return [mail for mail in mails if to is None or mail.to == to.strip().lower()]


class NoPost:
    """Neither SMTP nor development: the operator reads in the log that mail is not set up."""

    async def bring(self, mail: Mail) -> None:
        raise OSError("SMTP_URL is not set, so no mail can be sent")


class Mailer:
    """Writes mails in the reader's language and brings them away in the background."""

    def __init__(self, post: Post, templates: Environment) -> None:
        self._post = post
        self._templates = templates
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def send_code(self, to: str, code: str, locale: str) -> None:
        """Mail a sign-in code."""
        language = words(locale)
        text = self._templates.get_template("mail/code.txt").render(code=code, _=language, locale=locale)
        # The code leads the subject: it is what a screen reader reads first, and what a phone shows on its lock screen.
        subject = language("%(code)s is your visavis code", {"code": code})
        self._send(Mail(to, subject, text, code))

    def send_free(self, to: str, link: str, locale: str) -> None:
        """Mail a caller who wished to be told that somebody is free."""
        language = words(locale)
        text = self._templates.get_template("mail/free.txt").render(link=link, _=language, locale=locale)
        self._send(Mail(to, language("Somebody could help you now"), text))

    def _send(self, mail: Mail) -> None:
        task = asyncio.create_task(self._bring(mail))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring(self, mail: Mail) -> None:
        async with self._gate:
            for attempt in range(TRIES):
                started = time.monotonic()
                try:
                    await self._post.bring(mail)
                except Exception as error:
                    log.warning("mail.failed", error=type(error).__name__, attempt=attempt + 1)
                    await asyncio.sleep(2**attempt)
                else:
                    log.info("mail.sent", seconds=round(time.monotonic() - started, 2))
                    return

    async def drain(self) -> None:
        """Wait for what is on the way, a moment."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
