"""Become Prefect's command, with an output that holds no credential: ``python -m … worker start --pool shop``.

Prefect repeats the address of its server and what the code of a flow run prints; a log of a worker goes to others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

from seatrial.sinks.secrets import forms


def hide_credentials() -> None:
    """Let all that this process prints from now on, and whatever it starts or becomes, go through a filter."""
    hidden = json.dumps(forms(os.environ)).encode() + b"\n"
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        filtering = subprocess.Popen(
            [sys.executable, "-m", "seatrial.process.hiding"], stdin=subprocess.PIPE, stdout=stream.fileno(),
            start_new_session=True,  # Ctrl-C is for those who print; the filter ends when none of them is left
        )  # fmt: skip
        assert filtering.stdin is not None
        filtering.stdin.write(hidden)
        filtering.stdin.flush()
        os.dup2(filtering.stdin.fileno(), stream.fileno())


def main(words: Sequence[str]) -> NoReturn:
    """Become Prefect's command, which gets the signals itself."""
    hide_credentials()
    os.execv(sys.executable, [sys.executable, "-m", "prefect", *words])  # noqa: S606  our interpreter


if __name__ == "__main__":
    main(sys.argv[1:])
