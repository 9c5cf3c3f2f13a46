"""What an MLflow server says of a model, over its REST API: `mlflow` itself is slow to import.

Whatever is not a plain answer (a time-out, a login page, an error of the server) is no answer here: the later look-up
by MLflow's own client decides.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import httpx

from seatrial.registry.mlflow.stores import Listing

SECONDS = 1.0  # for each answer
MISSING = "RESOURCE_DOES_NOT_EXIST"
PAGE = 200


class NoAnswer(Exception):
    """The server gave no plain answer."""


def read_server(address: str, name: str, number: str | None) -> Listing:
    """Return what a server says of a model, and of one version of it where ``number`` is given.

    Raises:
        NoAnswer: it gave no plain answer.
    """
    with _client(address) as client:
        model = _get(client, "registered-models/get", name=name)
        if model is None:
            found = _get(client, "registered-models/search", max_results=PAGE) or {}
            return Listing(tuple(str(m["name"]) for m in found.get("registered_models", [])))
        described = model["registered_model"]
        aliases = {str(a["alias"]): str(a["version"]) for a in described.get("aliases", [])}
        versions: dict[str, str] = {}
        if number is not None and number.isdigit():
            found = _get(client, "model-versions/get", name=name, version=number) or {}
            versions = _versions([found["model_version"]] if found else [])
        if not versions:
            only = "name='{}'".format(name.replace("'", "''"))
            found = _get(client, "model-versions/search", filter=only, max_results=PAGE) or {}
            versions = _versions(found.get("model_versions", []))
        return Listing((name,), versions, aliases)


def read_run_tag(address: str, run_id: str, tag: str) -> str:
    """Return a tag of a run, empty where the run has none.

    Raises:
        NoAnswer: the server gave no plain answer, or has no such run.
    """
    with _client(address) as client:
        found = _get(client, "runs/get", run_id=run_id)
    if found is None:
        raise NoAnswer
    tags = {str(t["key"]): str(t["value"]) for t in found["run"]["data"].get("tags", [])}
    return tags.get(tag, "")


def _versions(found: list[Mapping[str, Any]]) -> dict[str, str]:
    return {str(v["version"]): str(v.get("run_id") or "") for v in found}


def _client(address: str) -> httpx.Client:
    if os.environ.get("MLFLOW_WORKSPACE"):
        raise NoAnswer  # the same name in another workspace is another model
    user, token = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_TOKEN")
    auth = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None
    headers = {"authorization": f"Bearer {token}"} if token and not user else {}
    try:
        return httpx.Client(
            base_url=f"{address.rstrip('/')}/api/2.0/mlflow/", timeout=SECONDS, auth=auth, headers=headers
        )
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise NoAnswer from error


def _get(client: httpx.Client, path: str, **parameters: str | int) -> dict[str, Any] | None:
    """Return an answer; None where the server says that there is no such thing."""
    try:
        answer = client.get(path, params=parameters)
        content = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise NoAnswer from error
    if not isinstance(content, dict):
        raise NoAnswer
    if answer.status_code == httpx.codes.NOT_FOUND and content.get("error_code") == MISSING:
        return None
    if answer.status_code != httpx.codes.OK:
        raise NoAnswer
    return content
