"""Requests to a Prefect server: a client whose errors are sentences, and the start of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from seatrial.errors import ProjectError, TargetError
from seatrial.formatting import without_user
from seatrial.process.prefect_profile import adopt, correction, source
from seatrial.sinks.secrets import without_secrets

PROJECT = "SEATRIAL_PROJECT"
REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def api_url() -> str:
    """Return the address of the Prefect server; ProjectError where neither the environment nor a profile names one."""
    url = adopt()
    if not url:
        raise ProjectError(
            "PREFECT_API_URL is not set, so there is no Prefect server to use. Set it, for example to "
            "http://127.0.0.1:4200/api, sign in to Prefect Cloud (prefect cloud login), or start all servers on this "
            "machine: seatrial up"
        )
    return url


def unanswered(url: str, why: str) -> str:
    """Return the message for a Prefect server that cannot be reached."""
    return (
        f"Prefect does not answer at {without_user(url)}, from {source(url)}: {why}. Start it (prefect server start), "
        f"{correction(url)}: seatrial then starts its own server."
    )


def refused(url: str, status: int) -> str:
    """Return the message for a Prefect server that does not take a key, or does not allow something with it."""
    if status == HTTPStatus.UNAUTHORIZED:
        return (
            f"Prefect at {without_user(url)} does not accept the key it was given, or got none. Sign in: prefect cloud "
            "login. For a server of your own, set PREFECT_API_AUTH_STRING, or PREFECT_API_KEY."
        )
    return (
        f"Prefect at {without_user(url)} does not allow this with the key it was given. Use the key of an account "
        "whose role and plan allow it."
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
    url = api_url()
    from httpx import HTTPError, HTTPStatusError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound, PrefectException

    try:
        with get_client(sync_client=True) as found:
            yield found
    except ObjectNotFound as error:
        raise TargetError(
            f"Prefect at {without_user(url)} could not {purpose}: it was not found there. Create it first: "
            "seatrial deploy"
        ) from error
    except (HTTPError, PrefectException, RuntimeError, OSError) as error:
        status = error.response.status_code if isinstance(error, HTTPStatusError) else 0
        first = without_secrets((str(error).strip().splitlines() or [type(error).__name__])[0])[:300]
        said = f"Prefect at {without_user(url)} could not {purpose}: {first}."
        raise TargetError(refused(url, status) if status in REFUSALS else said) from error
