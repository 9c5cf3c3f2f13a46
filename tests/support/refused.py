"""Run every refusal in this one process, and print what each said as JSON lines: ``python refused.py ROOT``.

A module that is slow to import, and a process that is started, are counted: a refusal needs neither.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from tests.support.refusals import REFUSALS, Refusal, made_wrong

SLOW = {"mlflow", "prefect", "great_expectations", "sklearn", "scipy", "uvicorn", "fastapi"}
seen: list[str] = []


class Watch:
    """Notes each slow module that is looked for, and each process."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Note a module; find nothing."""
        if name.partition(".")[0] in SLOW:
            seen.append(name)
        return None


def run(case: Refusal, root: Path, debug: Sequence[str]) -> dict[str, object]:
    """Run one command in the project's folder."""
    from seatrial.cli import main

    out, err, before, code = io.StringIO(), io.StringIO(), dict(os.environ), None
    seen.clear()
    with made_wrong(case, root) as (words, environ):
        os.environ.update(environ)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main([*words, *debug])
        except SystemExit as ended:
            code = ended.code
        finally:
            os.environ.clear()
            os.environ.update(before)
    return {
        "name": case.name, "debug": bool(debug), "code": code, "out": out.getvalue(), "err": err.getvalue(),
        "slow": list(seen),
    }  # fmt: skip


def main() -> None:
    """Run all, and then all with ``--debug``."""
    root = Path(sys.argv[1])
    os.chdir(root)
    sys.meta_path.insert(0, Watch())  # type: ignore[arg-type]
    started = subprocess.Popen.__init__

    def noted(*arguments: object, **named: object) -> None:
        seen.append(f"process {arguments[1]}")
        started(*arguments, **named)  # type: ignore[arg-type]

    subprocess.Popen.__init__ = noted  # type: ignore[method-assign,assignment]
    for debug in ((), ("--debug",)):
        for case in REFUSALS:
            print(json.dumps(run(case, root, debug)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
