"""JSON Schemas of our structs, as both documents need them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec

Json = dict[str, Any]


def components(kinds: Iterable[Any]) -> tuple[list[Json], Json]:
    """For each type its schema or a reference to it, and the schemas that are referred to, by name."""
    schemas, named = msgspec.json.schema_components(list(kinds), ref_template="#/components/schemas/{name}")
    # Through JSON, for a default may be a tuple.
    named = msgspec.json.decode(msgspec.json.encode(named))
    for schema in named.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
    return list(schemas), named


def tag_of(kind: Any) -> str:
    """The `type` by which a frame is known."""
    return str(kind.__struct_config__.tag)


def summary_of(kind: Any) -> str:
    """The first sentence of a struct's docstring."""
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())
