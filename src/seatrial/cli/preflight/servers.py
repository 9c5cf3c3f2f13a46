"""Refuse servers, ledgers and keys that the environment names and that are not there."""

from __future__ import annotations

import os
import re

from seatrial.errors import TargetError
from seatrial.formatting import without_user
from seatrial.orchestration.prefect_api import unanswered
from seatrial.process.prefect_profile import adopt, source
from seatrial.process.reaching import SECONDS, unreachable
from seatrial.project import Project
from seatrial.promotion.keyring import private_key

PREFECT, URL = "PREFECT_API_URL", "SEATRIAL_LEDGER_URL"
PLAIN_FILE = re.compile(r"sqlite(\+\w+)?:///.")


def check_prefect() -> None:
    """Raise TargetError where ``PREFECT_API_URL``, or the active profile, names no Prefect server.

    One that answers slowly is waited for later.

    Example::

        check_prefect()  # nothing is asked where neither names one: seatrial starts its own server
    """
    url = adopt()
    if not url:
        return
    if why := unreachable(url):
        raise TargetError(unanswered(url, why))
    if _healthy(url) is False and _healthy(f"{url.rstrip('/')}/api"):
        raise TargetError(
            f"{source(url)} is {without_user(url)}, and Prefect's API is below it: add /api to the address."
        )


def check_ledger() -> None:
    """Raise UsageError where ``SEATRIAL_LEDGER_URL`` is no address of a ledger, TargetError where nothing is there."""
    url = os.environ.get(URL, "")
    if not url or PLAIN_FILE.match(url):
        return
    from seatrial.ledger.database import connect

    connect(url).dispose()
    if why := unreachable(url):
        raise TargetError(
            f"The ledger does not answer at {without_user(url)}, from {URL}: {why}. Start its database, correct {URL}, "
            "or unset it to use the project's own ledger."
        )


def check_signing_key(project: Project) -> None:
    """Raise UsageError where ``SEATRIAL_SIGNING_KEY`` names no file, or one that others can read."""
    private_key(project.state)


def _healthy(url: str) -> bool | None:
    """Return whether Prefect's API answers there; None where nothing certain can be said."""
    import httpx

    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=SECONDS)
        return answer.status_code == httpx.codes.OK and answer.json() is True
    except ValueError:
        return False
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
