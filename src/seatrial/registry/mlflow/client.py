"""The MLflow server: a client of it, and every error of its as one sentence."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator
from typing import Any

from seatrial.errors import RegistryError
from seatrial.formatting import without_user
from seatrial.registry.mlflow import hosted
from seatrial.registry.mlflow.stores import described, store

SAID = 1_000  # characters of what MLflow says; it is shortened between words


def client(*, files: bool = False) -> Any:
    """Return an MLflow client of the tracking server that ``MLFLOW_TRACKING_URI`` names.

    Args:
        files: it is to store files or to read them.

    Raises:
        RegistryError: MLflow is not installed, or what it needs for this server.
    """
    try:
        import mlflow
    except ModuleNotFoundError as error:
        if error.name != "mlflow":
            raise
        raise RegistryError(
            "MLflow is not installed in this environment. Run: pip install mlflow-skinny, or mlflow; any 2.x or 3.x."
        ) from error
    hosted.check_plugin(files=files)
    return mlflow.MlflowClient()


@contextlib.contextmanager
def registry_errors(what: str, uri: str) -> Iterator[None]:
    """Turn whatever MLflow raises into one sentence."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except Exception as error:
        if not isinstance(error, (MlflowException, RequestException, *_database_errors())):
            raise
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        said = textwrap.shorten(without_user(first), SAID, placeholder=" …").rstrip(".")
        raise RegistryError(
            f"{uri} could not be {what} at MLflow ({described()}): {said}. "
            "Check MLFLOW_TRACKING_URI and that the server is up."
        ) from error


def _database_errors() -> tuple[type[Exception], ...]:
    """Return the base of what a database under MLflow raises; MLflow's skinny package has no database."""
    try:
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        return ()
    return (SQLAlchemyError,)


def registry_uri() -> str:
    """Return the registry's address without what may be secret in it."""
    return without_user(store()[0]) or "the default store"
