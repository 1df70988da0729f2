"""Ratings, reports and the points ledger."""

from accounts.postgres import run_migration

revision = "rating_0001"
down_revision = None
branch_labels = ("rating",)
depends_on = "matching_0001"


def upgrade() -> None:
    run_migration(__file__, "0001_pre_rating.sql")
