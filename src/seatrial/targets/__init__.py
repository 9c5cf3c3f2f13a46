"""Targets: a step behind a wire, or without one. ``connect(url)`` chooses by the address's scheme.

    with connect("rest+http://127.0.0.1:8000/score", key="transaction_id") as target:
        answers = target.step(requests)                 # frame to frame, rows keyed
        response = target.send(b'{"amount": NaN}')      # status, headers, body, seconds

Every call ends: it has a total deadline, reads a bounded body and stays on its host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seatrial.errors import UsageError, nearest
from seatrial.targets.protocol import Target


def _rest(url: str, **options: Any) -> Target:
    from seatrial.targets.rest import Rest

    return Rest(url, **options)


def _mlflow(url: str, **options: Any) -> Target:
    from seatrial.targets.mlflow import MLflow

    return MLflow(url, **options)


def _oip(url: str, **options: Any) -> Target:
    from seatrial.targets.oip.rest import Oip

    return Oip(url, **options)


def _grpc(url: str, **options: Any) -> Target:
    from seatrial.targets.oip.grpc import OipGrpc

    return OipGrpc(url, **options)


def _in_process(where: str, **_: Any) -> Target:
    from seatrial.targets.inprocess import from_file

    return from_file(where)


SCHEMES: dict[str, tuple[Callable[..., Target], str]] = {
    "inprocess": (_in_process, ""),
    "rest+http": (_rest, "http:"),
    "rest+https": (_rest, "https:"),
    "mlflow+http": (_mlflow, "http:"),
    "mlflow+https": (_mlflow, "https:"),
    "oip+http": (_oip, "http:"),
    "oip+https": (_oip, "https:"),
    "oip+grpc": (_grpc, ""),
}


def connect(url: str, **options: Any) -> Target:
    """Return the target at ``url``; use it in a ``with`` block.

    Args:
        url: such as ``rest+http://127.0.0.1:8000/score``, ``mlflow+http://127.0.0.1:5000``,
            ``oip+grpc://127.0.0.1:8081/model`` or ``inprocess:path/to/file.py:name``.
        options: of the target: ``key`` and ``seconds`` of all, and those of its class.

    Raises:
        UsageError: an unknown scheme, with the known ones, or an option that the target does not have.
    """
    scheme, _, rest = url.partition(":")
    if scheme not in SCHEMES:
        plain = " Say what it speaks: 'rest+" + url + "'." if scheme in ("http", "https") else ""
        raise UsageError(
            f"No target knows '{scheme}:'. Known: {', '.join(SCHEMES)}.{plain or nearest(scheme, SCHEMES)}"
        )
    target, prefix = SCHEMES[scheme]
    try:
        return target(prefix + rest, **options)
    except TypeError as error:
        raise UsageError(f"The target '{scheme}' takes other options: {error}.") from error
