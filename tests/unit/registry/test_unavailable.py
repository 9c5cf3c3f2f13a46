"""Whose fault an error is: of a server or disk that is away or full, or of the version."""

from __future__ import annotations

import errno
from http.client import IncompleteRead

import aiohttp
import botocore.exceptions
import httpx
import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError, ServiceRequestError
from boto3.exceptions import RetriesExceededError
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, TEMPORARILY_UNAVAILABLE
from urllib3.exceptions import MaxRetryError, NewConnectionError

from seatrial.errors import Interrupted
from seatrial.registry.unavailable import is_unavailable

REQUEST = httpx.Request("GET", "http://127.0.0.1:9")


def answered(status: int) -> requests.HTTPError:
    """Return the error of an answer with this status."""
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(f"{status}", response=response)


def aws(status: int, code: str) -> Exception:
    """Return the error of an object store's answer."""
    said = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(said, "GetObject")  # type: ignore[arg-type]


def caused(outer: Exception, inner: Exception) -> Exception:
    """Return an error that came of another."""
    outer.__cause__ = inner
    return outer


AWAY = [
    ConnectionRefusedError(), TimeoutError(), OSError(errno.ENOSPC, "no space left"), OSError(errno.EDQUOT, "quota"),
    OSError(errno.EHOSTUNREACH, "no route"), requests.ConnectionError("refused"), requests.ReadTimeout("slow"),
    requests.exceptions.RetryError("too many 503 error responses"), answered(500), answered(503), answered(429),
    httpx.ConnectError("refused"), httpx.ReadTimeout("slow"),
    httpx.HTTPStatusError("503", request=REQUEST, response=httpx.Response(503)),
    botocore.exceptions.EndpointConnectionError(endpoint_url="http://s3"),
    botocore.exceptions.ReadTimeoutError(endpoint_url="http://s3"), aws(503, "SlowDown"), aws(500, "InternalError"),
    ServiceRequestError("name or service not known"),
    botocore.exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    botocore.exceptions.HTTPClientError(error="reset"), RetriesExceededError(OSError("reset")),
    aiohttp.ClientPayloadError("cut"), IncompleteRead(b""), Interrupted("Prefect ran 1 of 2 cases."),
    MaxRetryError(None, "/", NewConnectionError(None, "refused")),  # type: ignore[arg-type]
    MlflowException("busy", error_code=TEMPORARILY_UNAVAILABLE),
    caused(MlflowException("failed"), requests.ConnectionError("refused")),
    caused(RuntimeError("download"), OSError(errno.ENOSPC, "no space left")),
]  # fmt: skip
OURS = [
    FileNotFoundError(errno.ENOENT, "model"), PermissionError(errno.EACCES, "model"), ValueError("broken"), KeyError(1),
    answered(404), answered(403), aws(404, "NoSuchKey"), aws(403, "AccessDenied"),
    ResourceNotFoundError("gone"), HttpResponseError("bad"),
    httpx.HTTPStatusError("404", request=REQUEST, response=httpx.Response(404)),
    MlflowException("no such artifact", error_code=RESOURCE_DOES_NOT_EXIST),
    caused(MlflowException("failed"), answered(404)), None,
]  # fmt: skip


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_a_server_or_disk_that_is_away_is_the_environments(error: Exception) -> None:
    """Whichever client says it, and however deep."""
    assert is_unavailable(error)


@pytest.mark.parametrize("error", OURS, ids=repr)
def test_what_is_not_there_is_the_versions(error: Exception | None) -> None:
    """A server that answers that there is nothing is not away."""
    assert not is_unavailable(error)


def test_a_circle_of_causes_ends() -> None:
    """Errors may refer to each other."""
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert not is_unavailable(first)
