"""The OpenAPI 3.1 document, made from the routes and the structs they read and write."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from accounts.errors import TokenInvalid, Unavailable, VisavisError
from signaling.http import Route
from signaling.problems import STATUS, BadRequest, Internal, ProblemDetails, TooManyRequests
from signaling.schemas import Json, components

ALWAYS: tuple[type[VisavisError], ...] = (TooManyRequests, Unavailable, Internal)
"""What any route may answer."""


def document(routes: Sequence[Route], public_url: str, version: str) -> Json:
    """The whole document."""
    shown = [route for route in routes if route.public]
    kinds = [kind for route in shown for kind in (route.body, route.answer) if kind is not None]
    schemas, named = components([*kinds, ProblemDetails])
    by_kind = dict(zip([*kinds, ProblemDetails], schemas, strict=True))
    paths: dict[str, Json] = defaultdict(dict)
    for route in shown:
        paths[_path(route)][route.method.lower()] = _operation(route, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "visavis",
            "version": version,
            "summary": "One button lends a blind person the eyes of the first available volunteer.",
            "description": (
                "JSON everywhere; times are RFC 3339 in UTC, durations seconds, ids UUIDs, languages BCP 47. Every "
                "refusal is an RFC 9457 problem with a stable `code`. The socket is described in `/v1/asyncapi.json`."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "paths": dict(paths),
        "components": {
            "schemas": named,
            "securitySchemes": {
                "access_token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "From `/v1/auth/verify` or `/v1/auth/refresh`; good for five minutes.",
                }
            },
        },
    }


def _path(route: Route) -> str:
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.path)


def _operation(route: Route, schemas: dict[Any, Json]) -> Json:
    operation: Json = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "tags": [route.tag],
        "responses": _responses(route, schemas),
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)", route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "description": words, "schema": {"type": "string"}}
        for name, words in route.query.items()
    ]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": not route.body_optional,
            "content": {"application/json": {"schema": schemas[route.body]}},
        }
    if route.signed_in:
        operation["security"] = [{"access_token": []}]
    return operation


def _responses(route: Route, schemas: dict[Any, Json]) -> Json:
    success: Json = {"description": HTTPStatus(route.status).phrase}
    if route.answer is not None:
        success["content"] = {"application/json": {"schema": schemas[route.answer]}}
    responses: Json = {str(route.status): success}
    errors = set(route.errors) | set(ALWAYS)
    if route.signed_in:
        errors.add(TokenInvalid)
    if route.body is not None or route.query:
        errors.add(BadRequest)
    by_status: dict[int, list[type[VisavisError]]] = defaultdict(list)
    for error in sorted(errors, key=lambda each: each.code):
        by_status[STATUS[error]].append(error)
    for status, kinds in sorted(by_status.items()):
        lines = "\n".join(f"- `{error.code}`: {error.detail}" for error in kinds)
        described = {"description": lines, "content": {"application/problem+json": {"schema": schemas[ProblemDetails]}}}
        # `/readyz` answers 503 with a body of its own.
        responses.setdefault(str(status), described)
    return responses
