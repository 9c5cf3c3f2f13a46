"""The configuration of ClearML's package in its process, and the client of its server."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Any

from seatrial.errors import RegistryError
from seatrial.formatting import without_user

PAGE = 500  # objects in one answer of the server
_SAID = 500  # characters of what ClearML says
_OVERRIDES = {
    "api": {
        "http": {
            # The ledger tries again later. By default the package repeats a request 240 times, and waits for a
            # server in maintenance without end.
            "retries": {
                "total": 2, "connect": 2, "read": 2, "redirect": 2, "status": 2, "backoff_factor": 0.2,
                "backoff_max": 2.0,
            },
            "wait_on_maintenance_forever": False,
        }
    },
    "sdk": {
        "development": {
            # By default reports go through a forked process, and closing a task waits ten seconds for it.
            "report_use_subprocess": False,
            "support_stopping": False,
            "store_uncommitted_code_diff": False,
            "suppress_update_message": True,
            "log_os_environments": [],
        },
        "apply_environment": False,
        "apply_files": False,
    },
}  # fmt: skip


def configure() -> None:
    """Override the settings that make the package wait, fork, or record what a verdict does not need."""
    from clearml.config import config_obj

    config_obj.set_overrides(_OVERRIDES)


@cache
def offline() -> bool:
    """Return whether ``CLEARML_OFFLINE_MODE`` is set, or there are no credentials."""
    from clearml.backend_api.session.defs import ENV_ACCESS_KEY, ENV_AUTH_TOKEN, ENV_OFFLINE_MODE, ENV_SECRET_KEY
    from clearml.config import config_obj

    given = config_obj.get("api.credentials", {})
    keys = (ENV_ACCESS_KEY.get() or given.get("access_key", "")) and (
        ENV_SECRET_KEY.get() or given.get("secret_key", "")
    )
    return bool(ENV_OFFLINE_MODE.get()) or not (keys or ENV_AUTH_TOKEN.get())


@cache
def client() -> Any:
    """Return the client of the server.

    Raises:
        RegistryError: there are no credentials.
    """
    if offline():
        raise RegistryError(
            "ClearML is offline here: CLEARML_OFFLINE_MODE is set, or there are no credentials. Set CLEARML_API_HOST, "
            "CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY, or run: clearml-init"
        )
    from clearml.backend_api.session.client import APIClient

    return APIClient()


def paged(get_all: Any, **query: Any) -> Iterator[Any]:
    """Yield every object that a query finds, asking for a page when it is needed."""
    for number in itertools.count():
        page = get_all(page=number, page_size=PAGE, **query)
        yield from page
        if len(page) < PAGE:
            return


def everything(get_all: Any, **query: Any) -> list[Any]:
    """Return every object that a query finds."""
    return list(paged(get_all, **query))


def projects(**only: Any) -> list[Any]:
    """Return the projects that a query finds, hidden ones too: id and name of each. A query for no id finds none.

    The package's own look-up of a project remembers what was not there.
    """
    if only.get("id") == []:
        return []
    query = {**only, "only_fields": ["id", "name"], "search_hidden": True, "_allow_extra_fields_": True}
    return everything(client().projects.get_all, order_by=["id"], **query)


def exactly(name: str) -> str:
    """Return the pattern by which the server finds this name alone."""
    from clearml.backend_interface.util import exact_match_regex

    return str(exact_match_regex(name))


def host() -> str:
    """Return the address of the API server, without what may be secret in it."""
    from clearml.backend_api.session import Session

    return without_user(Session.get_api_server_host())


def pages(model_id: str, run_id: str) -> list[list[str]]:
    """Return name and address of the pages of a version and a run on ClearML's web server."""
    from clearml.backend_api.session import Session

    web = without_user(Session.get_app_server_host().rstrip("/"))
    found = [["model", f"{web}/projects/*/models/{model_id}/general"]] if model_id else []
    return [*found, *([["run", f"{web}/projects/*/experiments/{run_id}/output/execution"]] if run_id else [])]


def described(error: Exception) -> str:
    """Return what the package raised as one sentence, with what to check."""
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    said = textwrap.shorten(without_user(first), _SAID, placeholder=" …").rstrip(".")
    return (
        f"ClearML at {host()} did not do it: {said}. Check CLEARML_API_HOST and the credentials, or clearml.conf, and "
        "that the server is up."
    )
