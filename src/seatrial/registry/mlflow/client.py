"""The MLflow server: a client of it, and every error of its as one sentence."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

from seatrial.errors import RegistryError


def client() -> Any:
    """Return an MLflow client of the tracking server that ``MLFLOW_TRACKING_URI`` names."""
    import mlflow

    return mlflow.MlflowClient()


def reachable() -> bool:
    """Return whether the registry responds."""
    try:
        client().search_registered_models(max_results=1)
    except Exception:  # noqa: BLE001  any failure is the answer
        return False
    return True


@contextlib.contextmanager
def registry_errors(what: str, uri: str) -> Iterator[None]:
    """Turn whatever MLflow raises into one sentence."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError) as error:
        first = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise RegistryError(
            f"{uri} could not be {what} at MLflow ({registry_uri()}): {first}. "
            "Check MLFLOW_TRACKING_URI and that the server is up."
        ) from error


def registry_uri() -> str:
    """Return the registry's address without what may be secret in it."""
    uri = os.environ.get("MLFLOW_REGISTRY_URI") or os.environ.get("MLFLOW_TRACKING_URI") or "the default store"
    return re.sub(r"//[^/@]*@", "//", uri)
