"""Targets: a step behind a wire, or without one. ``connect(url)`` chooses by the address's scheme.

    with connect("rest+http://127.0.0.1:8000/score", key="transaction_id") as target:
        answers = target.step(requests)                 # frame to frame, rows keyed
        response = target.send(b'{"amount": NaN}')      # status, headers, body, seconds

Every call ends: it has a total deadline, reads a bounded body and stays on its host.
"""

from __future__ import annotations

from typing import Any

from seatrial import plugins
from seatrial.errors import UsageError, nearest
from seatrial.targets.protocol import Target


def connect(url: str, **options: Any) -> Target:
    """Return the target at ``url``; use it in a ``with`` block.

    Args:
        url: such as ``rest+http://127.0.0.1:8000/score``, ``mlflow+http://127.0.0.1:5000``,
            ``oip+grpc://127.0.0.1:8081/model`` or ``inprocess:path/to/file.py:name``.
        options: of the target: ``key`` and ``seconds`` of all, and those of its class.

    Raises:
        UsageError: an unknown scheme, with the known ones, or an option that the target does not have.
    """
    scheme = url.partition(":")[0]
    schemes = plugins.names("targets")
    if scheme not in schemes:
        plain = " Name the protocol, such as 'rest+" + url + "'." if scheme in ("http", "https") else ""
        raise UsageError(
            f"There is no target '{scheme}:'. Available: {', '.join(schemes)}.{plain or nearest(scheme, schemes)}"
        )
    factory = plugins.load("targets", scheme)
    try:
        made = factory(url, **options)
    except TypeError as error:
        raise UsageError(f"The target '{scheme}' does not accept these options: {error}.") from error
    if not isinstance(made, Target):
        raise plugins.misfit("targets", scheme, "a seatrial.targets.protocol.Target", made)
    return made
