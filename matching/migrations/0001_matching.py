"""Requests, offers, calls and the pairs that never meet again."""

from accounts.postgres import run_migration

revision = "matching_0001"
down_revision = None
branch_labels = ("matching",)
depends_on = "accounts_0001"


def upgrade() -> None:
    run_migration(__file__, "0001_pre_matching.sql")
