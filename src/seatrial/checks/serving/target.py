"""The target that sends requests to a pipeline's service: its protocol or its shape, with its access and its pace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from seatrial.errors import TargetError
from seatrial.pipeline import Pipeline
from seatrial.pipeline.access import Access
from seatrial.pipeline.hooks import Hooks
from seatrial.process.running import Running
from seatrial.targets import connect
from seatrial.targets.elsewhere import Elsewhere
from seatrial.targets.launch import fill
from seatrial.targets.pacing import Pace
from seatrial.targets.protocol import Target
from seatrial.targets.shapes.shaped import Shaped

OVER_HTTP = ("rest", "mlflow", "oip", "openai")
PACED = tuple(f"{protocol}+{scheme}" for protocol in OVER_HTTP for scheme in ("http", "https"))


def target_of(
    pipeline: Pipeline, running: Running | Elsewhere, *, hooks: object = None, seconds: float = 30.0,
    pace: Pace | None = None,
) -> Target:  # fmt: skip
    """Return the target that sends requests to a pipeline's running service; use it in a ``with`` block.

    Args:
        pipeline: whose service it is.
        running: the service, or where it runs already.
        hooks: the replayer of the pipeline, which runs the service's hooks.
        seconds: the deadline of one request.
        pace: what the clients of the service keep to.

    Raises:
        TargetError: a service with a shape is at an address of another protocol.
    """
    service = pipeline.service
    assert service is not None
    options: dict[str, Any] = {"key": pipeline.key, "seconds": seconds}
    if isinstance(running, Elsewhere):
        url, batch = running.predict, service.batch and running.path(service.batch)
        options |= {"access": running.access} if running.access != Access() else {}
    elif service.predict.startswith("/"):
        url, batch = f"rest+{running.url}{service.predict}", service.batch
    else:
        url, batch = fill(service.predict, running.values), service.batch
    if pace is not None and url.partition(":")[0] in PACED:
        options |= {"pace": pace, "connections": pace.width}
    if service.shaped:
        if not url.startswith("rest+"):
            raise TargetError(
                f"The service is at an address of {url.partition('+')[0]}, a protocol that writes requests and reads "
                "answers itself. Leave out request=, response=, envelope= and poll_seconds=, or that protocol."
            )
        own = hooks if isinstance(hooks, Hooks) else None
        prefix = running.prefix if isinstance(running, Elsewhere) else ""
        return Shaped(url, service=replace(service, batch=batch), hooks=own, prefix=prefix, **options)
    if url.startswith("rest+"):
        options["batch"] = batch
    return connect(url, **options)
