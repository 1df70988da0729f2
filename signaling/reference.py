"""`python -m signaling.reference FOLDER`: writes the reference pages from the code itself."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import msgspec

from accounts.settings import AccountSettings
from matching.settings import MatchingSettings
from rating.settings import RatingSettings
from signaling import asyncapi, openapi
from signaling.problems import STATUS
from signaling.protocol import Close
from signaling.push.settings import PushSettings
from signaling.routes import table
from signaling.session import SessionSettings
from signaling.settings import OPERATORS, LimitSettings

URL = "http://localhost:8080"
PREFIXES: dict[str, type[msgspec.Struct]] = {
    "ACCOUNTS": AccountSettings,
    "MATCHING": MatchingSettings,
    "RATING": RatingSettings,
    "SESSION": SessionSettings,
    "LIMITS": LimitSettings,
    "PUSH": PushSettings,
}
MADE = "<!-- Made by `make reference`. Do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """The content of every page, by file name."""
    api = openapi.document(table(development=False), URL, "0")
    socket = asyncapi.document(URL, "0")
    return {
        "settings.md": MADE + _settings(),
        "errors.md": MADE + _errors(),
        "openapi.json": _json(api),
        "asyncapi.json": _json(socket),
    }


def _json(document: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def _settings() -> str:
    lines = ["# Settings", "", "Environment variables, read once at the start.", "", "| name | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {words} |" for name, words in OPERATORS.items()]
    for prefix, kind in PREFIXES.items():
        lines += [
            "",
            f"## {prefix}_…",
            "",
            inspect.cleandoc(kind.__doc__ or ""),
            "",
            "| name | default | |",
            "|---|---|---|",
        ]
        notes = _field_notes(kind)
        for field in msgspec.structs.fields(kind):
            default = str(field.default).replace("|", "\\|")
            lines.append(f"| `{prefix}_{field.name.upper()}` | {default} | {notes.get(field.name, '')} |")
    return "\n".join(lines) + "\n"


def _field_notes(kind: type) -> dict[str, str]:
    """The sentence under each field, as the source has it."""
    notes: dict[str, str] = {}
    field, text = "", ""
    for line in inspect.getsource(kind).splitlines():
        bare = line.strip()
        if text:
            text += " " + bare
        elif bare.startswith('"""') and field:
            text = bare
        elif ":" in bare and bare.split(":")[0].isidentifier():
            field = bare.split(":")[0]
        if text.endswith('"""') and len(text) > 5:
            notes[field] = text.strip('" ').replace("|", "\\|")
            text = ""
    return notes


def _errors() -> str:
    lines = [
        "# Codes",
        "",
        "The `code` of a problem never changes. The sentence is for people, in their language.",
        "",
        "| code | status | sentence |",
        "|---|---|---|",
    ]
    errors = sorted({(error.code, status, error.detail) for error, status in STATUS.items()})
    lines += [f"| `{code}` | {status} | {detail} |" for code, status, detail in errors]
    lines += ["", "On the socket also `bad_frame`, `unknown_type`, `bad_field` and `wrong_state`, for frames.", ""]
    lines += [
        "## Close codes",
        "",
        "4000 to 4099 and 1012: come back. 4400 and above: do not.",
        "",
        "| code | meaning |",
    ]
    lines += ["|---|---|", *(f"| {code.value} | {code.name.lower().replace('_', ' ')} |" for code in Close)]
    return "\n".join(lines) + "\n"


def main(folder: str) -> None:
    """Write every page into the folder."""
    for name, content in pages().items():
        Path(folder, name).write_text(content)


if __name__ == "__main__":
    main(sys.argv[1])
