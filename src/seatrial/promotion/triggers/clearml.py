"""ClearML's model trigger as a hint to the webhook receiver: what ``TriggerScheduler`` calls for each model.

ClearML has no webhooks. Its scheduler polls for models that were registered, published or tagged, and calls a function.
This one sends the receiver what MLflow would send for a new version, signed in the same way. The delivery's id is the
model's: an event that is repeated, by a scheduler that was started again or by a tag, is recognised as one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from seatrial import registry
from seatrial.errors import RegistryError, UsageError, VersionNotFound
from seatrial.formatting import without_user
from seatrial.promotion.triggers.mlflow import ID, SIGNATURE, TIMESTAMP, sign
from seatrial.promotion.triggers.webhook import SECRET, SECRET_LENGTH

NAME = "seatrial"  # of the trigger; the scheduler finds its function again by it
TRIES, PAUSE_SECONDS, ANSWER_SECONDS = 3, 1.0, 10.0
UPLOAD_SECONDS = 900.0  # ClearML reports a model before its file is uploaded


def add_model_trigger(scheduler: Any, url: str, *, secret: str | None = None, **when: Any) -> None:
    """Have a scheduler send a hint for each model that it reports.

    Args:
        scheduler: a ``clearml.automation.TriggerScheduler``.
        url: of the receiver, such as ``http://127.0.0.1:4300/mlflow``.
        secret: shared with the receiver; ``SEATRIAL_WEBHOOK_SECRET`` by default.
        when: what ``add_model_trigger`` of the scheduler takes, such as ``trigger_project`` and ``trigger_on_publish``.

    Raises:
        UsageError: there is no secret, or it is too short.

    Example:
        >>> add_model_trigger(TriggerScheduler(), "http://127.0.0.1:4300/mlflow", trigger_project="payments")
        ... # doctest: +SKIP
    """
    key = os.environ.get(SECRET, "") if secret is None else secret
    if len(key) < SECRET_LENGTH:
        raise UsageError(
            f"The trigger signs what it sends: set {SECRET} to the receiver's secret, of at least {SECRET_LENGTH} "
            "characters."
        )
    scheduler.add_model_trigger(schedule_function=hint(url, key.encode()), name=NAME, **when)


def hint(url: str, secret: bytes) -> Callable[[str], None]:
    """Return the function that sends the hint for a model's id. It raises nothing: the scheduled run finds the version.

    Args:
        url: of the receiver.
        secret: shared with it.
    """

    def send(model_id: str) -> None:
        try:
            version = registry.resolve(f"clearml:/{model_id}")
            until = time.monotonic() + UPLOAD_SECONDS
            while not _is_listed(version) and time.monotonic() < until:
                time.sleep(5 * PAUSE_SECONDS)
                version = registry.resolve(f"clearml:/{model_id}")  # its name, too, comes after its registration
            _post(url, secret, model_id, version.name, version.number)
        except VersionNotFound:
            return  # archived or deleted since
        except Exception as error:  # noqa: BLE001  the scheduler goes on
            message = f"No hint for the model {model_id}: {error} The next scheduled run finds its version."
            print(message, file=sys.stderr)  # noqa: T201

    return send


def _is_listed(version: registry.Version) -> bool:
    """Return whether a reconcile run would find a version."""
    listed = registry.of(version.uri).changed_since(model=version.name)
    return version.number in {each.number for each in listed}


def _post(url: str, secret: bytes, model_id: str, name: str, number: str) -> None:
    """Send the hint, again where the receiver is away or busy."""
    import httpx

    data = {"name": name, "version": number, "source": f"clearml:/{model_id}", "tags": {}}
    body = json.dumps({"entity": "model_version", "action": "created", "data": data}).encode()
    said = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_SECONDS * attempt)
        identity, stamp = f"clearml-{model_id}", str(int(time.time()))
        headers = {ID: identity, TIMESTAMP: stamp, SIGNATURE: sign(secret, identity, stamp, body)}
        try:
            answer = httpx.post(
                url, content=body, headers=headers | {"content-type": "application/json"}, timeout=ANSWER_SECONDS
            )
        except httpx.HTTPError as error:
            said = f"{without_user(url)} does not answer ({type(error).__name__})."
            continue
        if answer.status_code < 300:
            return
        said = f"{without_user(url)} refused it with {answer.status_code}: {answer.text[:200]}"
        if answer.status_code < 500:
            break
    raise RegistryError(said)
