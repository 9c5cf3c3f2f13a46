"""ClearML as a tracker: a task for each verdict, on the server, or offline as an archive that it imports later."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from seatrial.registry.capabilities import HandedOver
from seatrial.registry.clearml.client import FILES_SECONDS, call
from seatrial.registry.protocol import Version


class ClearMLTracker:
    """The server of ``CLEARML_API_HOST``, or of clearml.conf.

    Without credentials, or with ``CLEARML_OFFLINE_MODE=1``, verdicts wait below the state directory for :meth:`sync`.

    Args:
        state: the project's state directory; None for the tracker of a registry, which needs the server.
    """

    def __init__(self, state: Path | None = None) -> None:
        self._state = str(state.absolute()) if state else ""

    def log_run(self, body: Mapping[str, Any], artifacts: Path, key: str = "") -> str:
        """Log a run with every file of a directory, and return the id of its task; see the protocol."""
        arguments = {"body": dict(body), "folder": str(artifacts.absolute()), "key": key, "state": self._state}
        return str(call("log_run", seconds=FILES_SECONDS, **arguments))

    def artifacts(self, version: Version, name: str, *, most_bytes: int, passed: bool = False) -> Iterator[bytes]:
        """Yield the files of that name of the version's runs, the newest first; a longer file is left out."""
        for run in call("listed", model=version.name, number=version.number, key="", passed=passed):
            for file in run["files"]:
                if file["path"] == name and file["bytes"] <= most_bytes:
                    with tempfile.TemporaryDirectory(prefix="seatrial-clearml-") as folder:
                        path = Path(call("download", seconds=FILES_SECONDS, uri=file["uri"], into=folder))
                        if path.stat().st_size <= most_bytes:  # the size before was only what the run says
                            yield path.read_bytes()

    def files(self, version: Version, key: str, into: Path) -> Path | None:
        """Download every file of the verdict's run with this key to ``into``, and return it; None without a run."""
        runs = call("listed", model=version.name, number=version.number, key=key, passed=False)
        if not runs or not runs[-1]["files"]:
            return None
        into.mkdir(parents=True, exist_ok=True)
        for file in runs[-1]["files"]:
            with tempfile.TemporaryDirectory(prefix="seatrial-clearml-") as folder:
                path = Path(call("download", seconds=FILES_SECONDS, uri=file["uri"], into=folder))
                target = into / _inside(file["path"])
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        return into

    def sync(self) -> HandedOver:
        """Import every verdict that waits, each once."""
        return HandedOver(**call("sync", seconds=FILES_SECONDS, state=self._state))


def _inside(path: str) -> PurePosixPath:
    """Return the path of a file below a directory, whatever a server gives as its name.

    Example:
        >>> str(_inside("suites/a.json")), str(_inside("/../../etc/passwd"))
        ('suites/a.json', 'etc/passwd')
    """
    parts = [part for part in PurePosixPath(re.sub(r"[\\\0]", "_", path)).parts if part not in ("/", "..", ".")]
    return PurePosixPath(*(parts or ["_"]))
