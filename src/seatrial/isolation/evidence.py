"""What a worker says of itself: where the stages ran, for the results, and what it printed, for people here."""

from __future__ import annotations

import json

from seatrial.events import Attachment
from seatrial.isolation.replayer import RemoteReplayer

WORKER = "worker.json"  # a file of the results


def worker_record(replayer: RemoteReplayer) -> Attachment:
    """Return a file that says where the stages ran, and what kept them apart."""
    launch = replayer.launch
    where = {"isolation": launch.isolation, "python": launch.python, "command": list(launch.command)}
    content = {**where, "limits": dict(launch.limits), "environment": replayer.environment()}
    return Attachment("run", None, WORKER, json.dumps(content, indent=1).encode() + b"\n")


def printed(replayer: RemoteReplayer, most_bytes: int = 16_384) -> str:
    """Return the end of what the worker, and the project's code in it, printed."""
    try:
        with replayer.process.log.open("rb") as file:
            file.seek(max(0, replayer.process.log.stat().st_size - most_bytes))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
