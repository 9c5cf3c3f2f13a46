"""The server of Weights & Biases: a client of it, and every error of the package as one sentence."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from seatrial.errors import RegistryError, SeatrialError
from seatrial.registry.wandb import process
from seatrial.registry.wandb.content import ENTITY

REGISTRY = "SEATRIAL_WANDB_REGISTRY"
"""The registry of the organization whose collections are the models: ``model`` by default, as W&B makes it."""
PREFIX = "wandb-registry-"  # of the project behind a registry
API_SECONDS = 20
SILENT_SECONDS, TRIES = 60.0, 3  # of a download: how long its server may be silent, and how often it is asked again
ADVICE = f"Check WANDB_BASE_URL, WANDB_API_KEY, {ENTITY} and {REGISTRY}."


def api() -> Any:
    """Return the package's client of the server that the environment names, made once.

    Raises:
        UsageError: the package is not installed.
        RegistryError: there is no API key, or the server refuses it.
    """
    process.require_wandb()
    with registry_errors("reached", "The registry"):
        return _api(*(os.environ.get(name, "") for name in ("WANDB_BASE_URL", "WANDB_API_KEY", ENTITY)))


@cache
def _api(base_url: str, _key: str, entity: str) -> Any:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read when the package is imported
    import wandb
    from wandb.sdk.lib import wbauth

    _bound_downloads()
    settings = wandb.setup(wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True)).settings
    host = base_url or settings.base_url
    if wbauth.authenticate_session(host=host, source="seatrial", prompt=False, update_session=False) is None:
        raise RegistryError("Weights & Biases needs an API key. Set WANDB_API_KEY, or type: wandb login")
    return wandb.Api(overrides={"base_url": host, "entity": entity or None}, timeout=API_SECONDS)


def _bound_downloads() -> None:
    """Have downloads end: the package waits for ever for a server that is silent, and tries for twenty minutes."""
    from requests.adapters import HTTPAdapter
    from wandb.sdk.artifacts import artifact
    from wandb.sdk.artifacts.storage_policies import _factories, wandb_storage_policy

    class Bounded(HTTPAdapter):
        def send(
            self, request: Any, stream: bool = False, timeout: Any = None, verify: Any = True, cert: Any = None,
            proxies: Any = None,
        ) -> Any:  # fmt: skip
            return super().send(request, stream, timeout or SILENT_SECONDS, verify, cert, proxies)

    def make_http_session() -> Any:
        session = _factories.make_http_session()
        for scheme in ("http://", "https://"):
            given = session.get_adapter(scheme)
            again = given.max_retries.new(total=TRIES)
            session.mount(scheme, Bounded(pool_maxsize=_factories.HTTP_POOL_MAXSIZE, max_retries=again))
        return session

    for module in (artifact, wandb_storage_policy):  # where it looks the function up
        module.make_http_session = make_http_session


def registry_name() -> str:
    """Return the registry's name, without its prefix.

    Example:
        >>> registry_name()
        'model'
    """
    return (os.environ.get(REGISTRY) or "model").removeprefix(PREFIX)


@contextlib.contextmanager
def registry_errors(what: str, uri: str) -> Iterator[None]:
    """Turn whatever the package raises into one sentence."""
    try:
        yield
    except SeatrialError:
        raise
    except Exception as error:
        raise process.refused(str(error), f"{uri} could not be {what} at", ADVICE) from error
