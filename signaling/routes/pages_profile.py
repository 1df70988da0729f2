"""The profile page."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

from aiohttp import web

from accounts import consent, languages
from accounts.errors import AccountError
from accounts.model import DAYS, Person, QuietWindow, Role
from accounts.service import Profile
from signaling import i18n
from signaling.forms import Form
from signaling.house import HOUSE
from signaling.i18n import Words
from signaling.middleware import language_of
from signaling.pages import home_of
from signaling.problems import STATUS
from signaling.routes.pages import page
from signaling.viewer import signed_in

LANGUAGES_SHOWN = 4
WINDOWS_AT_MOST = 4
REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
FIELDS = {
    "profile_incomplete": "role-caller",
    "role_fixed": "role-caller",
    "languages_missing": "language-1",
    "language_unknown": "language-1",
    "time_zone_unknown": "time_zone",
    "alias_invalid": "alias",
    "adults_only": "adult",
    "quiet_hours_invalid": "quiet-1-start",
    "consent_missing": "consent",
}


@cache
def time_zones() -> list[tuple[str, list[tuple[str, str]]]]:
    """(region, [(IANA name, place)]): what the form offers."""
    grouped: dict[str, list[tuple[str, str]]] = {region: [] for region in REGIONS}
    for name in sorted(available_timezones()):
        region, _, place = name.partition("/")
        if place and region in grouped:
            grouped[region].append((name, place.replace("_", " ").replace("/", ", ")))
    return list(grouped.items())


def stored(person: Person, language: Words, wish: str | None) -> Form:
    """The form as it stands."""
    role = person.role or (wish if wish in list(Role) else None)
    form = Form.holding(
        role=role,
        language=list(person.languages) or [language.locale],
        time_zone=person.time_zone,
        alias=person.alias,
        alerts_per_day=person.alerts_per_day,
        muted=list(person.muted_languages),
        adult="yes" if person.adult else "",
        consent="yes" if person.consent == consent.CURRENT else "",
        locale=person.locale if person.complete else language.locale,
    )
    quiet: dict[str, object] = {}
    for number, window in enumerate(person.quiet_hours, 1):
        quiet |= {f"quiet-{number}-start": window.start, f"quiet-{number}-end": window.end}
        quiet |= {f"quiet-{number}-days": list(window.days)}
    form.typed = form.typed.copy()
    form.typed.extend(Form.holding(**quiet).typed)
    return form


def windows(form: Form, language: Words) -> list[QuietWindow]:
    """The quiet hours of a form; one without a start and an end is none."""
    found = []
    for number in range(1, WINDOWS_AT_MOST + 1):
        start, end = form.get(f"quiet-{number}-start"), form.get(f"quiet-{number}-end")
        days = form.all(f"quiet-{number}-days")
        if not start and not end:
            continue
        if not start or not end:
            field = f"quiet-{number}-{'end' if start else 'start'}"
            form.refuse(field, language("Quiet hours need both a start and an end. Leave both empty for none."))
        elif not days:
            form.refuse(f"quiet-{number}-mon", language("Choose at least one day, or leave start and end empty."))
        else:
            # Browsers send HH:MM, or HH:MM:SS where somebody typed seconds.
            found.append(QuietWindow(start[:5], end[:5], tuple(days)))
    return found


def checked(form: Form, person: Person, language: Words) -> Profile:
    """What the form asks for. Whatever can be seen to be missing is said at once, not one by one."""
    wish = form.get("role")
    role = person.role or (Role(wish) if wish in list(Role) else None)
    if role is None:
        form.refuse("role-caller", language("Choose whether you need help or want to help."))
    if not form.all("language"):
        form.refuse("language-1", language("Choose the language you speak best."))
    helps = role is Role.VOLUNTEER
    quiet = windows(form, language) if helps else None
    if helps and not person.adult and not form.get("adult"):
        form.refuse("adult", language("Volunteers must be adults. Please confirm that you are 18 or older."))
    if form.get("consent") != "yes" and person.consent != consent.CURRENT:
        form.refuse("consent", language("Without your consent we may not connect you with anybody."))
    alerts = form.get("alerts_per_day")
    return Profile(
        role=role,
        languages=form.all("language"),
        time_zone=form.get("time_zone") or person.time_zone,
        quiet_hours=quiet,
        # A language that was taken out of the list above cannot be muted any more.
        muted_languages=[tag for tag in form.all("muted") if tag in form.all("language")] if helps else None,
        alerts_per_day=int(alerts) if helps and alerts.isdecimal() and len(alerts) < 4 else None,
        alias=form.get("alias"),
        consent=True if form.get("consent") == "yes" else None,
        adult=True if form.get("adult") == "yes" else None,
        locale=i18n.best(form.get("locale")) if form.get("locale") else None,
    )


async def show(request: web.Request) -> web.StreamResponse:
    """`GET /profile`."""
    person = await signed_in(request)
    language = i18n.words(language_of(request))
    return _page(request, person, stored(person, language, request.query.get("role")))


async def save(request: web.Request) -> web.StreamResponse:
    """`POST /profile`."""
    house = request.app[HOUSE]
    person = await signed_in(request)
    form = await Form.of(request)
    language = i18n.words(language_of(request))
    profile = checked(form, person, language)
    status = 422
    if not form.problems:
        try:
            saved = await house.accounts.update_profile(person, profile)
        except AccountError as error:
            status = STATUS[type(error)]
            form.refuse_for(error, language, FIELDS, "role-caller")
        else:
            house.keeper.touched([person.id], person.languages)
            raise web.HTTPSeeOther("/profile?saved=1#done" if person.complete else home_of(saved))
    return _page(request, person, form, status)


def _page(request: web.Request, person: Person, form: Form, status: int = 200) -> web.Response:
    language = i18n.words(language_of(request))
    chosen = form.all("language")
    starts = [number for number in range(1, WINDOWS_AT_MOST + 1) if form.get(f"quiet-{number}-start")]
    return request.app[HOUSE].pages.page(
        request,
        "profile.html",
        status,
        form=form,
        role=person.role or form.get("role"),
        role_fixed=person.role is not None,
        chosen=chosen,
        language_fields=min(10, max(LANGUAGES_SHOWN, len(chosen) + 1)),
        choices=languages.choices(language.locale),
        more_choices=[
            (tag, languages.name(tag, language.locale)) for tag in chosen if tag not in _tags(language.locale)
        ],
        time_zones=time_zones(),
        windows=min(WINDOWS_AT_MOST, max(starts, default=0) + 1),
        days=DAYS,
        alerts=(0, 1, 2, 3, 5, 10, 20),
        consented=person.consent == consent.CURRENT,
        saved="saved" in request.query,
        paused="paused" in request.query,
        version=consent.CURRENT,
    )


@cache
def _tags(locale: str) -> frozenset[str]:
    return frozenset(tag for tag, _ in languages.choices(locale))


ROUTES = [page("/profile", show), page("/profile", save, "POST")]
