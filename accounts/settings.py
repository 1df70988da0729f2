"""The numbers of this floor, in one place. Times in seconds."""

from __future__ import annotations

import msgspec


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How sign-in behaves."""

    access_token_life: int = 300
    refresh_life: int = 60 * 86_400
    """A device that was not used for this long has to sign in again."""
    refresh_grace: int = 10
    """A refresh repeated within this time gets the same successor: the first reply may have been lost."""
    code_life: int = 600
    code_tries: int = 5
    codes_per_address: int = 5
    """Codes for one address within `code_window`; as many again, and a patient attacker has 25 guesses in a million."""
    codes_per_network: int = 60
    code_window: int = 900
    languages_at_most: int = 10
    alerts_per_day: int = 2
    alerts_per_day_at_most: int = 20
    devices_at_most: int = 10
    """Addresses a person can be rung at while no page is open; the oldest makes room for a new one."""
