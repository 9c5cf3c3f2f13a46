"""The process that runs the wandb package: what it sees of the environment, how long it may run, what it replies."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial.errors import RegistryError, UsageError
from seatrial.formatting import without_user

SECONDS = 100.0  # of one process, unless it stores what may be large
SHOWN = 1_000  # characters of what W&B says
PASSED_ON = frozenset(
    f"WANDB_{name}"
    for name in (
        "API_KEY", "APP_URL", "BASE_URL", "CACHE_DIR", "CONFIG_DIR", "CREDENTIALS_FILE", "DATA_DIR", "HTTP_TIMEOUT",
        "IDENTITY_TOKEN_FILE", "INSECURE_DISABLE_SSL", "ORGANIZATION", "X_EXTRA_HTTP_HEADERS",
    )
)  # fmt: skip
"""Settings of W&B that its process sees; those of a run that surrounds the judge would change the verdict's run."""
SECRETS = ("WANDB_API_KEY", "WANDB_X_EXTRA_HTTP_HEADERS")


def require_wandb() -> None:
    """Raise UsageError where the package is not installed."""
    if importlib.util.find_spec("wandb") is None:
        raise UsageError("Weights & Biases needs its package, wandb. Install it: pip install 'seatrial[wandb]'")


def environ(folder: Path) -> dict[str, str]:
    """Return the environment of the process: nothing printed, nothing about this machine or its code sent.

    Args:
        folder: for files that are yet to be uploaded, and for its cache.
    """
    plain = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_") or k in PASSED_ON}
    own = {
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "WANDB_CONSOLE": "off",
        "WANDB_DISABLE_CODE": "true",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_DIR": str(folder),
    }
    return {"WANDB_DATA_DIR": str(folder / "data"), "WANDB_CACHE_DIR": str(folder / "cache")} | plain | own


def ask(action: str, folder: Path, **arguments: Any) -> dict[str, Any]:
    """Have :mod:`seatrial.registry.wandb.upload` do something, and return its reply.

    Raises:
        RegistryError: W&B refused it or does not answer, or it took more than ``SECONDS``.
    """
    request = json.dumps({"action": action, "arguments": arguments}, ensure_ascii=False)
    done = run([sys.executable, "-m", "seatrial.registry.wandb.upload"], folder, request)
    last = done.stdout.strip().rpartition("\n")[2]
    reply = json.loads(last) if last.startswith("{") else {"error": done.stderr.strip().rpartition("\n")[2]}
    if "error" in reply:
        raise refused(reply["error"]) from (ConnectionError(reply["error"]) if reply.get("away") else None)
    return dict(reply)


def run(command: Sequence[str], folder: Path, request: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command that uses the package. It gets no terminal, so it asks nothing.

    Raises:
        RegistryError: it took more than ``SECONDS``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Files and no pipes: the package's own service inherits them, and a pipe would not end before it does.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            done = subprocess.run(  # noqa: S603  our own interpreter
                command,
                input=request.encode("utf-8", "replace"),
                stdout=out,
                stderr=err,
                env=environ(folder),
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise refused(f"it took more than {SECONDS:g} seconds") from TimeoutError(str(error))
        out.seek(0)
        err.seek(0)
        texts = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    return subprocess.CompletedProcess(command, done.returncode, *texts)


def refused(
    said: str,
    what: str = "The verdict could not be logged at",
    advice: str = "Check WANDB_BASE_URL, WANDB_API_KEY and WANDB_ENTITY, or log offline: WANDB_MODE=offline",
) -> RegistryError:
    """Return the error for what W&B said, without credentials."""
    shown = textwrap.shorten(without_user(without_secrets(said, os.environ)), SHOWN, placeholder=" …").rstrip(".")
    where = without_user(os.environ.get("WANDB_BASE_URL", "")) or "its default server"
    return RegistryError(f"{what} Weights & Biases ({where}): {shown or 'no reason given'}. {advice}")


def without_secrets(text: str, given: Mapping[str, str]) -> str:
    """Return text without the values of the variables that hold credentials.

    Example:
        >>> without_secrets("key abc refused", {"WANDB_API_KEY": "abc"})
        'key … refused'
    """
    for name in SECRETS:
        if value := given.get(name):
            text = text.replace(value, "…")
    return text
