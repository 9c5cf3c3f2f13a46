"""The API of Kubeflow Model Registry, by the client that its package ``model-registry`` generates from its OpenAPI.

The package's own facade is not imported: it sets up the root logger and patches asyncio for the whole process.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from seatrial.errors import RegistryError, SeatrialError, UsageError
from seatrial.formatting import without_user

BASE_URL = "MODEL_REGISTRY_BASE_URL"  # as KServe's storage initializer names it
TOKEN_PATH = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105  as the client names it
POD_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105
SECONDS = 30.0  # for one answer
PAGE = 100
T = TypeVar("T")


def base_url() -> str:
    """Return the address of the registry.

    Raises:
        UsageError: the variable is not set, or its value is no address.
    """
    given = os.environ.get(BASE_URL, "").strip().rstrip("/")
    if not given:
        raise UsageError(
            f"{BASE_URL} is not set. Set it to the address of Kubeflow Model Registry, for example "
            "http://model-registry-service.kubeflow:8080"
        )
    url = given if "://" in given else f"http://{given}"  # as the storage initializer reads it
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{BASE_URL} is '{without_user(given)}', which is no address. Write http://HOST:PORT.")
    if parts.username is not None:
        raise UsageError(
            f"{BASE_URL} holds a user; Kubeflow Model Registry takes a token. Write {without_user(url)}, and set "
            f"{TOKEN_PATH} to a file with the token."
        )
    return url


def host() -> str:
    """Return the registry's host and port, as KServe's URIs have them."""
    return urlsplit(base_url()).netloc


def ask(question: Callable[[Any], Awaitable[T]], what: str) -> T:
    """Run one operation, which may be several requests, and return its result.

    It runs in a thread of its own, because the caller may be in an event loop.

    Args:
        question: takes the API, a ``mr_openapi.ModelRegistryServiceApi``.
        what: is asked for, for the message of an error.

    Raises:
        UsageError: the package is not installed, or the address is not set.
        RegistryError: the registry does not answer, or refuses.
    """
    mr_openapi = _imported()
    url = base_url()

    async def answered() -> T:
        configuration = mr_openapi.Configuration(host=url, access_token=_token(url))
        async with mr_openapi.ApiClient(configuration) as client:
            return await question(mr_openapi.ModelRegistryServiceApi(client))

    with ThreadPoolExecutor(1, "model-registry") as thread:
        try:
            return thread.submit(asyncio.run, answered()).result()
        except SeatrialError:
            raise
        except mr_openapi.ApiException as error:
            raise RegistryError(f"{what} {_refused(error)}") from error
        except (OSError, TimeoutError, ssl.SSLError) as error:  # aiohttp's errors of connections are OSErrors
            why = str(error) or f"no answer within {SECONDS:.0f} s"
            raise RegistryError(
                f"{what} Kubeflow Model Registry does not answer at {url}: {why}. Start it, or correct {BASE_URL}."
            ) from error
        except ValueError as error:  # what pydantic and the generated client raise on another schema
            raise RegistryError(
                f"{what} What answers at {url} is not the API of Kubeflow Model Registry: "
                f"{type(error).__name__}. Correct {BASE_URL}."
            ) from error


def absent(error: Any) -> bool:
    """Return whether the registry itself said that it has no such thing, and not a server that has another API."""
    return error.status == 404 and bool(getattr(error.data, "message", ""))


async def every(list_page: Callable[..., Awaitable[Any]], *words: str) -> list[Any]:
    """Return all items of a list that the API gives in pages."""
    items: list[Any] = []
    token: str | None = None
    while True:
        more = {"next_page_token": token} if token else {}
        page = await list_page(*words, page_size=str(PAGE), _request_timeout=SECONDS, **more)
        items += page.items or []
        if not page.next_page_token or page.next_page_token == token:
            return items
        token = page.next_page_token


def properties(entity: Any) -> dict[str, str]:
    """Return the custom properties of an entity as text."""
    found = {}
    for name, value in (entity.custom_properties or {}).items():
        held = value.actual_instance
        kind = held.metadata_type.removeprefix("Metadata").removesuffix("Value").lower()
        found[name] = str(getattr(held, f"{kind}_value"))
    return found


def merged(entity: Any, texts: dict[str, str]) -> dict[str, Any]:
    """Return the custom properties of an entity with some set, as the API takes them: it replaces all at once.

    One whose text is empty is taken out: without a value it would be shown as a label.
    """
    from mr_openapi import MetadataStringValue, MetadataValue

    def value(text: str) -> Any:
        return MetadataValue(MetadataStringValue(string_value=text, metadataType="MetadataStringValue"))

    kept = {name: held for name, held in (entity.custom_properties or {}).items() if texts.get(name) != ""}
    return {**kept, **{name: value(text) for name, text in texts.items() if text}}


def _token(url: str) -> str | None:
    """Return the token to send: the one that is named, or over TLS the pod's own."""
    named = os.environ.get(TOKEN_PATH)
    path = Path(named or POD_TOKEN)
    if not named and (not url.startswith("https://") or not path.is_file()):
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The token of Kubeflow Model Registry cannot be read from {path}: {error}.") from error


def _refused(error: Any) -> str:
    """Return what the registry said, without headers: they may hold what is secret."""
    said = getattr(error.data, "message", "") or error.reason or ""
    advice = {
        401: f" Set {TOKEN_PATH} to a file with a token that it accepts.",
        403: f" Set {TOKEN_PATH} to a file with a token that may do this.",
        404: f" Correct {BASE_URL}, or install the release of the package model-registry that its server belongs to.",
    }.get(error.status, "")
    return f"Kubeflow Model Registry answered {error.status}: {str(said)[:300].rstrip('.')}.{advice}"


def _imported() -> Any:
    try:
        import mr_openapi
    except ImportError as error:
        raise UsageError(
            "Kubeflow Model Registry needs its client, which is not installed. Type: pip install 'seatrial[kubeflow]'"
        ) from error
    return mr_openapi
