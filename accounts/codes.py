"""Mail codes: six digits, ten minutes, once, five tries, only in the browser that asked."""

from __future__ import annotations

import secrets
from uuid import UUID

import msgspec
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from accounts.errors import EmailInvalid
from accounts.keys import Keyring

DIGITS = 6

# Reserved domains (RFC 6761) pass, in the way the library documents: an intranet may live under one, as our ready-made
# people do. A mail to one that does not exist harms nobody.
SPECIAL_USE_DOMAIN_NAMES.clear()


class Asker(msgspec.Struct, frozen=True):
    """Who asks for or types a code: the browser's own cookie (none for a client that keeps no cookies) and the
    network (/24 or /48) it comes from."""

    browser: str | None
    network: str


def canonical_email(text: str) -> str:
    """The address as we store it: domain in ASCII lower case, local part in lower case. Raises `EmailInvalid`.

    RFC 5321 lets a local part be case-sensitive; no provider does, and people's keyboards capitalise."""
    try:
        found = validate_email(text.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise EmailInvalid() from error
    if "." not in found.domain:
        raise EmailInvalid()
    return found.normalized.lower()


def new_code() -> str:
    """A random code."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


def typed(text: str) -> str:
    """What a person typed or pasted, without the spaces and dashes that mail programs and people put in."""
    return "".join(character for character in text if character.isdecimal() and character.isascii())[:32]


def code_hash(keys: Keyring, code_id: UUID, code: str) -> bytes:
    """What is stored of a code: useless without the server's secret, which the database does not hold."""
    return keys.current.tag("sign-in-code", code_id.bytes, code.encode())


def browser_hash(keys: Keyring, asker: Asker) -> bytes:
    """What a code is bound to: the browser's cookie or, for a client without cookies, its network."""
    if asker.browser:
        return keys.current.tag("sign-in-browser", asker.browser.encode())
    return keys.current.tag("sign-in-no-browser", asker.network.encode())


def network_hash(keys: Keyring, asker: Asker) -> bytes:
    """By which codes asked from one network are counted without storing an address."""
    return keys.current.tag("sign-in-network", asker.network.encode())
