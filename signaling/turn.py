"""The servers media may go through, with credentials that hold for one call and one side only.

coturn checks them with the secret both share (`use-auth-secret`; draft-uberti-behave-turn-rest-00)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from uuid import UUID

from accounts.model import Role
from signaling.protocol import IcePolicy, IceServer


class Turn:
    """Our TURN servers. With none, media goes directly, which development and tests on one machine do."""

    def __init__(self, urls: tuple[str, ...], secret: str, life: int = 2 * 3600) -> None:
        self._urls = urls
        self._secret = secret.encode()
        self._life = life

    @property
    def policy(self) -> IcePolicy:
        """`relay` where there is a relay: nobody's address is shown to the other side."""
        return "relay" if self._urls else "all"

    def servers(self, call_id: UUID, role: Role, now: float) -> tuple[IceServer, ...]:
        """What one side of a call connects through; `now` is Unix time."""
        if not self._urls:
            return ()
        username = f"{int(now) + self._life}:{call_id.hex}-{role}"
        digest = hmac.new(self._secret, username.encode(), hashlib.sha1).digest()
        return (IceServer(self._urls, username, base64.b64encode(digest).decode()),)
