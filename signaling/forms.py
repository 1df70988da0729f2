"""Forms of pages: what was typed, what is wrong with it, and at which field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from multidict import MultiDict, MultiDictProxy

from accounts.errors import VisavisError
from signaling.i18n import Words

Typed = MultiDict[str] | MultiDictProxy[str]


class Form:
    """A form as somebody filled it in; a new one holds what is stored."""

    def __init__(self, typed: Typed | None = None) -> None:
        self.typed: Typed = MultiDict() if typed is None else typed
        self.problems: dict[str, str] = {}
        """What is wrong, by the id of the field where it can be put right, in the order of the page."""

    @classmethod
    async def of(cls, request: web.Request) -> Form:
        """The form of a POST. Files are none of ours to take."""
        posted = await request.post()
        return cls(MultiDict((name, value) for name, value in posted.items() if isinstance(value, str)))

    @classmethod
    def holding(cls, **stored: Any) -> Form:
        """A form with what is stored; lists give a name several values."""
        typed: MultiDict[str] = MultiDict()
        for name, value in stored.items():
            for each in value if isinstance(value, list) else [value]:
                typed.add(name, "" if each is None else str(each))
        return cls(typed)

    def get(self, name: str) -> str:
        """What was typed into a field, without spaces around it."""
        return self.typed.get(name, "").strip()

    def all(self, name: str) -> list[str]:
        """What was typed into the fields of that name, the empty ones left out."""
        return [value.strip() for value in self.typed.getall(name, []) if value.strip()]

    def has(self, name: str, value: str) -> bool:
        """Whether that choice is made."""
        return value in self.typed.getall(name, [])

    def refuse(self, field: str, why: str) -> None:
        """Something is wrong with a field; the first word on it counts."""
        self.problems.setdefault(field, why)

    def refuse_for(self, error: VisavisError, words: Words, fields: Mapping[str, str], otherwise: str) -> None:
        """An error of another floor, at the field it is about."""
        self.refuse(fields.get(error.code, otherwise), words(error.detail, error.data))
