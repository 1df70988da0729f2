"""The world of a simulation: every figure a parameter, every default from the field (docs/explanation/simulator.md).

Times in seconds unless said otherwise, shares from 0 to 1."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from accounts.errors import VisavisError

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0, le=1e9)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Hours = Annotated[tuple[Annotated[float, Meta(ge=0, le=100)], ...], Meta(min_length=24, max_length=24)]


class WorldInvalid(VisavisError):
    """A world file that cannot be."""

    code = "world_invalid"
    detail = "%(file)s is no world: %(why)s."


class Quiet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Quiet hours that a share of the volunteers keeps, in local hours; `start` = `end`: none."""

    share: Share
    start: Annotated[int, Meta(ge=0, le=23)]
    end: Annotated[int, Meta(ge=0, le=23)]


class Zone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a share of the volunteers lives: hours ahead of the callers."""

    share: Share
    ahead: Annotated[float, Meta(ge=-14, le=14)]


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One world. `p` and `pool` are given by the cell."""

    # --- volunteers
    spread: Annotated[float, Meta(ge=0, le=100)] = 0.5
    """The first parameter of the Beta that chances are drawn from: below 1, most are near 0 and a few above .3.
    0: everybody is alike."""
    hours: Hours = (
        0.10, 0.05, 0.03, 0.02, 0.03, 0.08, 0.25, 0.50, 0.70, 0.80, 0.85, 0.90,
        0.95, 0.90, 0.90, 0.90, 0.95, 1.00, 1.05, 1.15, 1.30, 1.30, 1.20, 0.60,
    )  # fmt: skip
    """What each local hour makes of the chance."""
    delay_median: Positive = 11.0
    """Until an answer to a push, lognormal."""
    delay_sigma: Annotated[float, Meta(gt=0, le=5)] = 0.8
    unlock_least: Seconds = 3.0
    """Lost on unlocking the phone after the tap."""
    unlock_most: Seconds = 12.0
    on_page: Share = 0.0
    """Volunteers on shift with an open page at any time; nothing to unlock, and a greater chance."""
    page_delay_median: Positive = 5.0
    page_lift: Annotated[float, Meta(ge=1, le=100)] = 4.0
    """With an open page, the chance is that of this many independent tries."""
    refuses: Share = 0.1
    """Of those who do not accept, those who say so."""
    tired_by: Share = 0.35
    """Lost of the chance right after a ring."""
    tired_half_life: Positive = 86_400.0
    rest: Share = 0.05
    """Chance, for each ignored ring in a row, that the next days are rest: then the chance is a tenth."""
    rest_days: Positive = 3.0
    remembered: Annotated[float, Meta(ge=0, le=1000)] = 10.0
    """Rings a volunteer had before the first day, on average."""
    newcomers: Share = 0.2
    """Volunteers who had none."""
    zones: tuple[Zone, ...] = (Zone(0.6, 0), Zone(0.15, -6), Zone(0.1, -9), Zone(0.15, 8))
    quiet: tuple[Quiet, ...] = (Quiet(0.5, 22, 8), Quiet(0.3, 23, 7), Quiet(0.2, 0, 0))
    alerts_per_day: Annotated[int, Meta(ge=0, le=20)] = 2

    # --- callers
    requests_a_day: Annotated[float, Meta(gt=0, le=10)] = 0.002
    """For each volunteer of the pool."""
    demand: Hours = (
        0.30, 0.20, 0.15, 0.10, 0.10, 0.15, 0.40, 0.80, 1.20, 1.40, 1.50, 1.50,
        1.40, 1.30, 1.30, 1.40, 1.50, 1.70, 1.70, 1.60, 1.40, 1.10, 0.80, 0.50,
    )  # fmt: skip
    """What each hour of the callers makes of it."""
    burst: Annotated[float, Meta(ge=1, le=1000)] = 10.0
    """In a burst there are this many times as many requests."""
    burst_hours: tuple[Annotated[int, Meta(ge=0, le=23)], ...] = (1, 2, 18, 19)
    patience_median: Positive = 90.0
    patience_sigma: Annotated[float, Meta(ge=0, le=5)] = 0.6
    patient: bool = False
    """Whether callers wait for ever."""
    call_median: Positive = 60.0
    call_sigma: Annotated[float, Meta(ge=0, le=5)] = 1.2558
    """The 90th percentile is five minutes."""
    failure: Share = 0.05
    """Calls that do not connect; the caller waits on."""
    failure_noticed: Seconds = 10.0
    volunteers_a_caller: Positive = 15.0
    repeat: Annotated[float, Meta(ge=0, le=5)] = 0.8
    """How unevenly callers call: the exponent of Zipf's law."""
    pranksters: Share = 0.01
    """Callers who waste a volunteer's time: a call of seconds, after which the two never meet again."""

    # --- the service
    withdraw_page: Seconds = 0.3
    """After a claim a ring goes on for so long; a tap meanwhile is late."""
    withdraw_push: Seconds = 3.0
    withdraws: bool = True
    """Whether rings stop at the claim at all."""
    days: Annotated[int, Meta(ge=1, le=400)] = 30
    requests: Annotated[int, Meta(ge=1, le=10_000_000)] = 150
    """Measured requests a cell should have at least: small pools are simulated many times over."""

    def checked(self, file: str) -> World:
        """Itself. Raises `WorldInvalid` where figures contradict each other."""
        for name, parts in (("zones", self.zones), ("quiet", self.quiet)):
            if abs(sum(part.share for part in parts) - 1.0) > 1e-6:
                raise WorldInvalid(file=file, why=f"the shares of “{name}” must add up to 1")
        if self.unlock_least > self.unlock_most:
            raise WorldInvalid(file=file, why="“unlock_least” is more than “unlock_most”")
        if sum(self.demand) <= 0:
            raise WorldInvalid(file=file, why="nobody ever calls: “demand” is 0 in every hour")
        return self


def load(path: Path) -> World:
    """The world of a JSON or TOML file; what it does not name has its default. Raises `WorldInvalid`."""
    try:
        raw = path.read_bytes()
        decode = msgspec.toml.decode if path.suffix == ".toml" else msgspec.json.decode
        return decode(raw, type=World).checked(path.name)
    except msgspec.ValidationError as error:
        raise WorldInvalid(file=path.name, why=str(error)) from error
    except msgspec.DecodeError as error:
        raise WorldInvalid(file=path.name, why=f"it cannot be read: {error}") from error
    except (OSError, UnicodeError) as error:
        raise WorldInvalid(file=path.name, why=f"it cannot be read ({type(error).__name__})") from error


PUBLISHED = World(
    spread=0.0,
    hours=(1.0,) * 24,
    unlock_least=0.0,
    unlock_most=0.0,
    refuses=0.0,
    tired_by=0.0,
    rest=0.0,
    zones=(Zone(1.0, 0),),
    quiet=(Quiet(1.0, 0, 0),),
    alerts_per_day=20,
    patient=True,
    failure=0.0,
    pranksters=0.0,
    withdraws=False,
)
"""The world in which B1's published figures were measured."""
