"""The routes, by subject. Each module has `ROUTES`."""

from __future__ import annotations

from signaling.http import Route


def table(*, development: bool) -> list[Route]:
    """Every route of the server; those for development only if it was started in development."""
    from signaling.routes import (
        auth,
        calls,
        devices,
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
        stats,
        worker,
    )

    routes = [*auth.ROUTES, *me.ROUTES, *devices.ROUTES, *calls.ROUTES]
    routes += [*stats.ROUTES, *operations.ROUTES, *documents.ROUTES]
    pages_ = (pages, pages_sign_in, pages_profile, pages_pause, pages_live, pages_history, pages_staff, worker)
    for module in pages_:
        routes += module.ROUTES
    if development:
        from signaling.routes import dev

        routes += dev.ROUTES
    return routes
