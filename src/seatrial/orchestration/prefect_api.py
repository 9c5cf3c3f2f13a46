"""Requests to a Prefect server: a client whose errors are sentences, and the start of a run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.errors import ProjectError, TargetError
from seatrial.formatting import without_user
from seatrial.sinks.secrets import without_secrets

PROJECT = "SEATRIAL_PROJECT"


def api_url() -> str:
    """Return the address of the Prefect server; ProjectError where the environment names none."""
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        raise ProjectError(
            "PREFECT_API_URL is not set, so there is no Prefect server to use. Set it, for example to "
            "http://127.0.0.1:4200/api, or start all servers on this machine: seatrial up"
        )
    return url


def unanswered(url: str, why: str) -> str:
    """Return the message for a Prefect server that cannot be reached."""
    return (
        f"Prefect does not answer at {without_user(url)}, from PREFECT_API_URL: {why}. Start it (prefect server "
        "start), correct PREFECT_API_URL, or unset it: seatrial then starts its own server."
    )


def start_run(deployment: str, parameters: Mapping[str, Any], key: str) -> str:
    """Start a run of a deployment and return its id; a second call with the same key returns the same run.

    Raises:
        TargetError: the server does not answer, or has no such deployment.
    """
    with client(f"start a run of '{deployment}'") as prefect:
        found = prefect.read_deployment_by_name(deployment)
        run = prefect.create_flow_run_from_deployment(found.id, parameters=dict(parameters), idempotency_key=key)
        return str(run.id)


def put_automation(declared: Any) -> None:
    """Create an automation, or update the one of its name.

    Args:
        declared: Prefect's AutomationCore.

    Raises:
        TargetError: the server does not answer.
    """
    with client("create automations") as prefect:
        existing = prefect.read_automations_by_name(declared.name)
        if existing:
            prefect.update_automation(existing[0].id, declared)
        else:
            prefect.create_automation(declared)


@contextlib.contextmanager
def client(purpose: str) -> Iterator[Any]:
    """Yield a client, and turn whatever goes wrong into one sentence that names the purpose."""
    url = without_user(api_url())
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound, PrefectException

    try:
        with get_client(sync_client=True) as found:
            yield found
    except ObjectNotFound as error:
        raise TargetError(
            f"Prefect at {url} could not {purpose}: it was not found there. Create it first: seatrial deploy"
        ) from error
    except (HTTPError, PrefectException, RuntimeError, OSError) as error:
        first = without_secrets((str(error).strip().splitlines() or [type(error).__name__])[0])[:300]
        raise TargetError(f"Prefect at {url} could not {purpose}: {first}.") from error
