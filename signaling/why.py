"""What `visavis why` says."""

from __future__ import annotations

from uuid import UUID

import msgspec

from accounts.errors import VisavisError
from accounts.postgres import Pool, borrowed
from matching.explaining import explained
from matching.ledger import learning
from matching.ledger.learning import Made
from matching.model import Channel, Outcome


class OfferNotFound(VisavisError):
    """Only an operator reads this."""

    code = "offer_not_found"
    detail = "There is no offer %(offer)s. Offers and their ids are in the table matching.offer."


CHANNELS = {Channel.SOCKET: "in an open page", Channel.PUSH: "by push"}
OUTCOMES = {
    None: "It has no outcome yet.",
    Outcome.ACCEPTED: "They accepted {after}.",
    Outcome.DECLINED: "They declined {after}.",
    Outcome.LATE: "They tapped {after}, when somebody else had been faster.",
    Outcome.IGNORED: "They had not answered when it ended, {after}.",
    Outcome.FAILED: "No device took it, as was known {after}.",
    Outcome.WITHDRAWN: "It was withdrawn {after}.",
}


async def of_offer(pool: Pool, offer: str) -> Made:
    """The offer of that id. Raises `OfferNotFound`, `Unavailable`."""
    try:
        id_ = UUID(offer)
    except ValueError as error:
        raise OfferNotFound(offer=offer) from error
    async with borrowed(pool) as connection:
        made = await learning.why(connection, id_)
    if made is None:
        raise OfferNotFound(offer=offer)
    return made


def as_json(made: Made) -> str:
    return msgspec.json.encode(made).decode()


def as_text(made: Made) -> str:
    after = f"after {made.seconds or 0:.1f} s"
    first = (
        f"Volunteer {made.volunteer_id} was rung {CHANNELS[made.channel]} for request {made.request_id} on"
        f" {made.rung_at:%F at %T} UTC."
    )
    return "\n".join((first, OUTCOMES[made.outcome].format(after=after), *explained(made.why)))
