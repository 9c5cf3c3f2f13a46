"""The settings of a Prefect server that serves one command and ends with it."""

from __future__ import annotations

from collections.abc import Mapping

# Nothing is scheduled on it, and no worker asks it for runs. What records and shows a run stays: events, task runs,
# logs, artifacts, automations, the dashboard; and so do the release of concurrency slots whose holder died, and the
# deletion of old events, without which the database would grow.
_IDLE_SERVICES = ("SCHEDULER", "LATE_RUNS", "FOREMAN", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP")
_SETTINGS = {
    **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _IDLE_SERVICES},
    # Block types are for the pages where people make blocks. Without the second, every collection is imported to learn
    # whether there is a new one.
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}


def settings(environ: Mapping[str, str], *, migrated: bool) -> dict[str, str]:
    """Return the environment of the server; what ``environ`` sets itself is kept.

    Args:
        environ: of this process. An API address is left out: it would send the server to itself.
        migrated: the server's database has the tables of this release of Prefect already.

    Example:
        >>> settings({"PREFECT_API_URL": "http://127.0.0.1:4200/api"}, migrated=True)[
        ...     "PREFECT_API_DATABASE_MIGRATE_ON_START"
        ... ]
        'false'
    """
    ready = {"PREFECT_API_DATABASE_MIGRATE_ON_START": "false"} if migrated else {}
    return {**_SETTINGS, **ready, **{name: value for name, value in environ.items() if name != "PREFECT_API_URL"}}
