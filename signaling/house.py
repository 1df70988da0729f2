"""Everything one server process is made of, as one struct that routes find in their application."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from accounts.keys import Keyring
    from accounts.postgres import Pool
    from accounts.service import AccountService
    from matching.board import Board, Redis
    from matching.candidates import CandidateIndex
    from matching.dispatch import Dispatcher
    from matching.keeper import Keeper
    from matching.service import HelpService
    from matching.stats import Statistics
    from matching.sweeper import Sweeper
    from rating.service import RatingService
    from signaling.bus import Bus
    from signaling.carrier import Carrier
    from signaling.limits import Limits
    from signaling.mail import Mailer, Post
    from signaling.pages import Pages
    from signaling.past import PastCalls
    from signaling.push.noted import Noted
    from signaling.push.pushes import Pushes
    from signaling.push.web_push import WebPush
    from signaling.settings import Settings
    from signaling.socket import SocketServer
    from signaling.switchboard import Switchboard
    from signaling.tickets import Tickets
    from signaling.turn import Turn


@dataclasses.dataclass(frozen=True, kw_only=True)
class House:
    """The parts, made and wired in `app.py`."""

    settings: Settings
    keys: Keyring
    pool: Pool
    redis: Redis
    board: Board
    switchboard: Switchboard
    bus: Bus
    turn: Turn
    limits: Limits
    tickets: Tickets
    post: Post
    mailer: Mailer
    accounts: AccountService
    rating: RatingService
    help: HelpService
    carrier: Carrier
    dispatcher: Dispatcher
    sweeper: Sweeper
    sockets: SocketServer
    pages: Pages
    past: PastCalls
    pushes: Pushes
    web_push: WebPush
    noted: Noted
    index: CandidateIndex
    keeper: Keeper
    statistics: Statistics


HOUSE: web.AppKey[House] = web.AppKey("house", object)  # type: ignore[arg-type]  # the class would be an import cycle
