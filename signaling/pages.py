"""Renders the pages a person looks at or listens to."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context

from accounts import languages
from accounts.model import Person, Role
from signaling import i18n
from signaling.middleware import language_of
from signaling.problems import ProblemDetails
from signaling.static import Static

PERSON: web.RequestKey[Person | None] = web.RequestKey("person")
"""Who looks at the page; not there until `viewer.identify` has looked."""
TEMPLATES = Path(__file__).with_name("templates")


def environment() -> Environment:
    """Templates for pages (escaped) and mails (.txt, as they are)."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters.update(moment=_moment, brief=_brief, lasting=_lasting, number=_number, spoken=_spoken)
    templates.filters.update(day=_day, percent=_percent, ratio=_ratio, seconds=_seconds)
    return templates


class Pages:
    """The templates, in the reader's language."""

    def __init__(self, templates: Environment, static: Static) -> None:
        self._templates = templates
        self.static = static

    def render(self, request: web.Request, name: str, **data: Any) -> str:
        """The page `name` in the language of the request, for the person who is signed in, if anybody is."""
        words = i18n.words(language_of(request))
        person: Person | None = request.get(PERSON)
        return self._templates.get_template(name).render(
            _=words,
            ngettext=words.ngettext,
            locale=words.locale,
            direction=words.direction,
            path=request.path,
            here="/history" if request.path.startswith("/history/") else request.path,
            static=self.static.url,
            person=person,
            time_zone=person.time_zone if person else "UTC",
            home=home_of(person),
            tongues=[i18n.words(locale) for locale in i18n.available()],
            **data,
        )

    def page(self, request: web.Request, name: str, status: int = 200, **data: Any) -> web.Response:
        """An answer with that page in it."""
        return web.Response(text=self.render(request, name, **data), status=status, content_type="text/html")

    def problem(self, request: web.Request, problem: ProblemDetails) -> str:
        """The page for an error."""
        return self.render(request, "problem.html", problem=problem)


def home_of(person: Person | None) -> str:
    """The page where somebody belongs."""
    if person is None:
        return "/"
    if not person.complete:
        return "/staff" if person.staff_role else "/profile"
    return "/call" if person.role is Role.CALLER else "/volunteer"


# --- how things are written in the reader's language and time zone


@pass_context
def _moment(context: Context, at: datetime) -> str:
    here = at.astimezone(ZoneInfo(context["time_zone"]))
    return f"{format_date(here, 'long', _locale(context))}, {format_time(here, 'short', locale=_locale(context))}"


@pass_context
def _brief(context: Context, at: datetime) -> str:
    """The same, for tables."""
    here = at.astimezone(ZoneInfo(context["time_zone"]))
    return f"{format_date(here, 'medium', _locale(context))}, {format_time(here, 'short', locale=_locale(context))}"


@pass_context
def _lasting(context: Context, seconds: float) -> str:
    """A length of time in minutes and seconds, or hours and minutes."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [("hour", hours), ("minute", minutes)] if hours else [("minute", minutes), ("second", seconds)]
    said = [format_unit(n, f"duration-{unit}", "long", locale=_locale(context)) for unit, n in parts if n]
    return format_list(
        said or [format_unit(0, "duration-second", "long", locale=_locale(context))], "unit", locale=_locale(context)
    )


@pass_context
def _number(context: Context, number: float) -> str:
    return format_decimal(number, locale=_locale(context))


@pass_context
def _day(context: Context, day: date) -> str:
    return format_date(day, "medium", _locale(context))


@pass_context
def _percent(context: Context, share: float) -> str:
    return format_percent(share, locale=_locale(context))


@pass_context
def _ratio(context: Context, ratio: float) -> str:
    return format_decimal(ratio, "#,##0.00", _locale(context))


@pass_context
def _seconds(context: Context, seconds: float) -> str:
    """A short length of time, for tables and scales: "75 sec"."""
    return format_unit(round(seconds), "duration-second", "short", locale=_locale(context))


@pass_context
def _spoken(context: Context, tags: tuple[str, ...]) -> str:
    """Languages by name, as a list: "English, French and German"."""
    names = [languages.name(tag, context["locale"]) for tag in tags]
    return format_list(names, locale=_locale(context))


def _locale(context: Context) -> str:
    return str(context["locale"]).replace("-", "_")
