"""Push subscriptions, snooze and muted languages."""

from accounts.postgres import run_migration

revision = "accounts_0002"
down_revision = "accounts_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_migration(__file__, "0002_pre_devices.sql")
