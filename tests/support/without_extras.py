"""Use seatrial where the packages of extras are not installed, and print what it says as JSON.

``python without_extras.py STATE MODULE…`` blocks these top-level modules, whatever is installed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

STATE, *BLOCKED = sys.argv[1:]


class Without:
    """Another finder, without the packages that are blocked: they are not there, whoever looks."""

    def __init__(self, other: Any) -> None:
        self.other = other

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        found: ModuleSpec | None = (
            None if name.partition(".")[0] in BLOCKED else self.other.find_spec(name, path, target)
        )
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.other, name)


def said(call: Callable[[], object]) -> str:
    """Return the message of the error that a call ends in; SeatrialError has no prefix."""
    from seatrial.errors import SeatrialError

    try:
        call()
    except SeatrialError as error:
        return str(error)
    except BaseException as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"


def main() -> None:
    sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
    import seatrial
    from seatrial import plugins
    from seatrial.cli.app import main as command
    from seatrial.registry.mlflow.registry import MLflowRegistry
    from seatrial.registry.runs import run_payload
    from seatrial.testing.samples import sample_reference, sample_verdict

    found = {"import": seatrial.__version__}
    helped = io.StringIO()
    with contextlib.redirect_stdout(helped), contextlib.suppress(SystemExit):
        command(["--help"])
    found["help"] = helped.getvalue()
    version = seatrial_version()
    body = run_payload(sample_verdict(), registry_fetched(version, sample_reference()))
    for name in plugins.names("trackers"):
        found[f"trackers {name}"] = said(
            lambda name=name: plugins.load("trackers", name)(Path(STATE)).log_run(body, Path(STATE), "key")
        )
    for name in plugins.names("registries"):
        found[f"registries {name}"] = said(
            lambda name=name: plugins.load("registries", name)().resolve(f"{name}:/payments/1")
        )
    for address in ("arn:aws:sagemaker:eu-west-1:1:mlflow-tracking-server/a", "azureml://a.azureml.ms/mlflow/v1.0/b"):
        os.environ["MLFLOW_TRACKING_URI"] = address
        found[f"address {address.partition(':')[0]}"] = said(lambda: MLflowRegistry.resolve("models:/payments/1"))
    print(json.dumps(found))  # noqa: T201  what it is run for


def seatrial_version() -> object:
    from seatrial.registry import Version

    return Version("payments", "1", 1_700_000_000_000, "", "")


def registry_fetched(version: object, reference: object) -> object:
    from seatrial.registry import Fetched

    return Fetched(version, Path(STATE), "sha256:" + "0" * 64, reference)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
