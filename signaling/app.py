"""The composition root: every part is made and wired here, and nowhere else."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from aiohttp import web

from accounts.devices import DeviceKind
from accounts.keys import Keyring
from accounts.postgres import close_pool, open_pool
from accounts.service import AccountService
from matching.asking import Asking
from matching.board import Board, connect
from matching.calling_back import CallBacks
from matching.candidates import CandidateIndex, close_index, connect_index
from matching.choosing import Chooser
from matching.dispatch import Dispatcher
from matching.ending import Endings
from matching.keeper import Keeper
from matching.learning import Learner
from matching.reserving import Reservations
from matching.service import HelpService
from matching.stats import Statistics
from matching.sweeper import Sweeper
from matching.wishes import Wishes
from rating.service import RatingService
from signaling import middleware, pages, routes
from signaling.adapters import CallsForRating, PairsForRating, ReachByMail, RewardsForMatching
from signaling.bus import Bus
from signaling.carrier import Carrier
from signaling.commands import Commands
from signaling.doorbell import Doorbell
from signaling.greeting import Greeter
from signaling.house import HOUSE, House
from signaling.http import BODY_LIMIT
from signaling.limits import Limits
from signaling.mail import DevelopmentPost, Mailer, NoPost, SmtpPost
from signaling.node import Node
from signaling.past import PastCalls
from signaling.push.apns import Apns
from signaling.push.fcm import Fcm
from signaling.push.noted import Noted
from signaling.push.pushes import Pushes
from signaling.push.rings import Rings
from signaling.push.sender import Sender
from signaling.push.service import Service
from signaling.push.web_push import Vapid, WebPush, session
from signaling.secret import load_secret
from signaling.settings import Settings
from signaling.socket import SocketServer
from signaling.static import Static
from signaling.switchboard import Switchboard
from signaling.tickets import Tickets
from signaling.turn import Turn


@asynccontextmanager
async def opened(
    settings: Settings, database_url: str, redis_url: str, *, at_work: bool = True
) -> AsyncIterator[House]:
    """The house of one server process, its tasks running; not `at_work`, it has no tasks and is no node: for a command
    that does one thing beside the servers. Raises `Unavailable` if the database or the cache is away."""
    secret = settings.secret or _own_secret(settings)
    prefix = settings.redis_prefix
    async with AsyncExitStack() as stack:
        pool = await open_pool(database_url, size=settings.database_connections)
        stack.push_async_callback(close_pool, pool)
        redis = await connect(redis_url)
        stack.push_async_callback(redis.aclose)
        keys = Keyring(secret, settings.secret_previous)
        board = Board(redis, secrets.token_hex(6), prefix)
        switchboard = Switchboard(settings.matching.resume_window)
        bus = Bus(redis, board, switchboard, prefix)
        turn = Turn(settings.turn_urls, settings.turn_secret)
        limits = Limits(redis, settings.limits.factor, prefix)
        tickets = Tickets(redis, prefix)
        accounts = AccountService(pool, keys, settings.accounts, time.time)
        rating = RatingService(pool, CallsForRating(pool), PairsForRating(), settings.rating)
        rewards = RewardsForMatching(rating)
        endings = Endings(rewards, settings.matching)
        carrier = Carrier(pool, bus, turn, time.time)
        web_push = WebPush(settings.push_services, Vapid(keys, settings.contact), settings.push.rest)
        sender = Sender(_push_services(settings, web_push), settings.push)
        noted = Noted(redis, prefix)
        rings = Rings(redis, prefix)
        pushes = Pushes(pool, sender, rings, web_push, settings.push, noted if settings.development else None)
        stack.push_async_callback(pushes.close)
        templates = pages.environment()
        post = (
            SmtpPost(settings.smtp_url, settings.mail_from)
            if settings.smtp_url
            else DevelopmentPost(redis, prefix)
            if settings.development
            else NoPost()
        )
        mailer = Mailer(post, templates)
        stack.push_async_callback(mailer.drain)
        index_redis = await connect_index(settings.index_url or redis_url)
        stack.push_async_callback(close_index, index_redis)
        index = CandidateIndex(index_redis, prefix, settings.matching)
        keeper = Keeper(pool, index, settings.matching, lambda: learner.population)
        learner = Learner(pool, keeper, settings.matching)
        chooser = Chooser(pool, board, index, learner, settings.matching)
        stack.push_async_callback(keeper.drain)
        carrier.keeper = keeper
        doorbell = Doorbell(bus, pushes)
        reservations = Reservations(pool, board, doorbell, rewards, settings.matching)
        call_backs = CallBacks(pool, board, doorbell, settings.matching)
        dispatcher = Dispatcher(
            pool,
            board,
            learner,
            chooser,
            endings,
            bus,
            carrier,
            doorbell,
            reservations,
            call_backs,
            keeper,
            settings.matching,
        )
        asking = Asking(pool, dispatcher, endings, carrier, bus, settings.matching)
        help_service = HelpService(
            pool, board, dispatcher, endings, reservations, rewards, bus, carrier, settings.matching
        )
        carrier.help_service = help_service
        pushes.failed = help_service.push_failed
        reach = ReachByMail(accounts, mailer, settings.public_url)
        wishes = Wishes(pool, board, index, learner, carrier, reach, settings.matching)
        sweeper = Sweeper(pool, board, dispatcher, endings, wishes, carrier, settings.matching)
        node = Node(board, switchboard, help_service, sweeper)
        commands = Commands(accounts, asking, help_service, board, bus, turn, limits, settings.limits)
        greeter = Greeter(
            accounts,
            help_service,
            board,
            bus,
            switchboard,
            carrier,
            tickets,
            commands,
            settings.session,
            settings.matching,
            time.monotonic,
        )
        sockets = SocketServer(
            greeter,
            commands,
            help_service,
            board,
            switchboard,
            settings.origins,
            settings.session,
            settings.matching,
        )
        statistics = Statistics(pool, lambda: learner.population)
        stack.push_async_callback(statistics.close)
        if at_work:
            for work in (bus.run, node.run, dispatcher.run, sweeper.run, keeper.run, learner.run, sockets.beat_hearts):
                await stack.enter_async_context(_running(work()))
            stack.push_async_callback(node.leave)
        yield House(
            settings=settings,
            keys=keys,
            pool=pool,
            redis=redis,
            board=board,
            switchboard=switchboard,
            bus=bus,
            turn=turn,
            limits=limits,
            tickets=tickets,
            post=post,
            mailer=mailer,
            accounts=accounts,
            rating=rating,
            help=help_service,
            carrier=carrier,
            dispatcher=dispatcher,
            sweeper=sweeper,
            sockets=sockets,
            pages=pages.Pages(templates, Static(fresh=settings.development)),
            past=PastCalls(pool, rating, settings.rating),
            pushes=pushes,
            web_push=web_push,
            noted=noted,
            index=index,
            keeper=keeper,
            statistics=statistics,
        )


def _push_services(settings: Settings, web_push: WebPush) -> dict[DeviceKind, Service]:
    """The ways to devices that are switched on."""
    services: dict[DeviceKind, Service] = {DeviceKind.WEB_PUSH: web_push}
    if settings.fcm is not None:
        services[DeviceKind.FCM] = Fcm(settings.fcm, session(web_push.resolver), settings.push.rest)
    if settings.apns is not None:
        services[DeviceKind.APNS] = Apns(settings.apns, settings.push.rest)
    return services


def _own_secret(settings: Settings) -> bytes:
    """The secret where the operator has set none."""
    if settings.development and settings.database_url is not None:
        # Several development servers over one database, each with a DATA_DIR of its own, are one installation.
        return hashlib.sha256(b"visavis development " + settings.database_url.encode()).digest()
    return load_secret(settings.data_dir)


@asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def application(house: House) -> web.Application:
    """The HTTP side of a house."""
    app = web.Application(
        client_max_size=BODY_LIMIT, middlewares=[middleware.observe, middleware.explain, middleware.guard]
    )
    app[HOUSE] = house
    socket_origin = house.settings.public_url.replace("http", "ws", 1)
    headers = middleware.security_headers(house.settings.secure, socket_origin)

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        # Nothing we answer may stay in a shared machine's cache, but for files that are the same for everybody.
        response.headers.setdefault("Cache-Control", "no-store")

    async def say_goodbye(app: web.Application) -> None:
        await house.sockets.drain()

    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(say_goodbye)
    for route in routes.table(development=house.settings.development):
        app.router.add_route(route.method, route.path, route.handler)
    app.router.add_get("/v1/socket", house.sockets.handle)
    app.router.add_get("/static/{version}/{name:.+}", house.pages.static.handle)
    return app
