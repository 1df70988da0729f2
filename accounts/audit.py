"""The audit trail: who did what to whom. Rows are only ever added."""

from __future__ import annotations

from uuid import UUID

from accounts.postgres import Connection

SYSTEM = "system"

APPEND = "INSERT INTO accounts.audit (actor, tag, subject, data) VALUES ($1, $2, $3, $4)"


async def append(connection: Connection, actor: str, tag: str, subject: UUID | None, **data: object) -> None:
    """Add a row in the caller's transaction. `tag` is `source:subject:action`, as in `staff:person:ban`; `data` must
    hold no name, address or free text."""
    await connection.execute(APPEND, actor, tag, subject, data)
