"""Who may do what on this floor."""

from __future__ import annotations

from accounts.errors import NotAllowed, ProfileIncomplete
from accounts.model import Person, Role
from matching.errors import NotForRole


def must_be(person: Person, role: Role) -> None:
    """Raises `ProfileIncomplete`, `NotForRole`, `NotAllowed`."""
    if not person.complete:
        raise ProfileIncomplete()
    if person.role is not role:
        raise NotForRole(role=role)
    if not person.standing.may_meet:
        raise NotAllowed()
