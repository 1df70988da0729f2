"""What rings teach, reservations, call-backs and wishes."""

from accounts.postgres import run_migration

revision = "matching_0002"
down_revision = "matching_0001"
branch_labels = None
depends_on = "accounts_0002"


def upgrade() -> None:
    run_migration(__file__, "0002_pre_learning.sql")
