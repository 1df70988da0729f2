"""People, sign-in, audit and outbox."""

from accounts.postgres import run_migration

revision = "accounts_0001"
down_revision = None
branch_labels = ("accounts",)
depends_on = None


def upgrade() -> None:
    run_migration(__file__, "0001_pre_people.sql")
