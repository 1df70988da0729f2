"""The versions of what people consent to. Being a caller is health data, so consent is explicit and versioned (GDPR
article 9(2)(a)); a new version asks again."""

from __future__ import annotations

from accounts.errors import ConsentMissing

CURRENT = "2026-11"
"""The version that is asked for today: the month of the text in `docs/`."""


def accepted(consent: bool | str) -> str:
    """The version that `consent` agrees to; `True` means the current one. Raises `ConsentMissing` for anything else."""
    if consent is True or consent == CURRENT:
        return CURRENT
    raise ConsentMissing(version=CURRENT)
