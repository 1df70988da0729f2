"""The pause of alerts, as pages offer it."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from accounts.model import Role
from accounts.service import Profile
from accounts.snooze import Pause
from signaling.forms import Form
from signaling.house import HOUSE
from signaling.pages import home_of
from signaling.routes.pages import page
from signaling.viewer import complete


async def pause(request: web.Request) -> web.StreamResponse:
    """`POST /profile/pause`: pause alerts for one of the offered times, or be rung again."""
    person = await complete(request)
    if person.role is not Role.VOLUNTEER:
        raise web.HTTPSeeOther(home_of(person))
    wish = (await Form.of(request)).get("pause")
    until = Pause(wish).until(datetime.now(UTC), person.time_zone) if wish in list(Pause) else None
    house = request.app[HOUSE]
    await house.accounts.update_profile(person, Profile(snooze=until))
    house.keeper.touched([person.id])
    raise web.HTTPSeeOther("/profile?paused=1#pause-said")


ROUTES = [page("/profile/pause", pause, "POST")]
