"""The routes, by subject. Each module has `ROUTES`."""

from __future__ import annotations

from signaling.http import Route


def table(*, development: bool) -> list[Route]:
    """Every route of the server; those for development only if it was started in development."""
    from signaling.routes import (
        auth,
        calls,
        documents,
        me,
        operations,
        pages,
        pages_history,
        pages_live,
        pages_pause,
        pages_profile,
        pages_sign_in,
        pages_staff,
    )

    routes = [*auth.ROUTES, *me.ROUTES, *calls.ROUTES, *operations.ROUTES, *documents.ROUTES]
    for module in (pages, pages_sign_in, pages_profile, pages_pause, pages_live, pages_history, pages_staff):
        routes += module.ROUTES
    if development:
        from signaling.routes import dev

        routes += dev.ROUTES
    return routes
