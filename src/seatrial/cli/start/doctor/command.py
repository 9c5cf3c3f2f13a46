"""``seatrial doctor``: examine everything side by side, and print it in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from seatrial.cli.start.doctor import files, machine, servers
from seatrial.cli.start.doctor.lines import Examination, Line, missing, ok
from seatrial.errors import EXIT_FAIL, EXIT_PASS, ProjectError
from seatrial.project import PYPROJECT, Project

SERVER_SECONDS = 5.0  # each has a time-out of a second; the resolution of a name has none
LOCAL_SECONDS = 20.0  # of what needs a second on an idle machine; on a busy one, slowness is no lack
SERVERS = ("models", "prefect", "ledger")
WIDTH = 9
MAKE = "In this repository: seatrial init --here. For a new one: seatrial init DIR"


def doctor(directory: Path, *, say: Callable[[str], None] = print) -> int:
    """Examine a project and what it needs; return 0 where a validation can run, and 1 where something is missing.

    Nothing is imported but what the examination itself needs, nothing of the project is run, and nothing is written.

    Args:
        directory: of the project, or below it.
        say: receives the lines to print.

    Raises:
        ProjectError: the project's settings cannot be used.
    """
    found = examined(directory)
    for line in found:
        say(f"{line.state:<{WIDTH}}{line.subject:<11}{line.found}")
        if line.advice:
            say(f"{'':<{WIDTH}}{'':<11}→ {line.advice}")
    lacking = sum(line.state == "missing" for line in found)
    things = "thing is" if lacking == 1 else "things are"
    say("")
    say(f"{lacking} {things} missing." if lacking else "Everything that a validation needs is here.")
    return EXIT_FAIL if lacking else EXIT_PASS


def examined(directory: Path) -> list[Line]:
    """Return what was found, in order: the project, its files, the servers, the machine."""
    try:
        project = Project.find(directory)
    except ProjectError as error:
        if not str(error).startswith("There is no seatrial project"):
            raise
        start = directory.resolve()
        lines = [missing("project", f"no {PYPROJECT} at {start} or above it has a table [tool.seatrial]", MAKE)]
        return lines + _beside({"libraries": machine.versions})
    of_project: dict[str, Callable[[Project], object]] = {
        "pipeline": files.pipeline_file, "policy": files.expectations, "models": servers.model_store,
        "prefect": servers.prefect, "ledger": servers.ledger, "worker": machine.worker, "isolation": machine.isolation,
        "disk": machine.disk,
    }  # fmt: skip
    examinations = {name: partial(function, project) for name, function in of_project.items()}
    everything = {**examinations, "libraries": machine.versions}
    return [ok("project", str(project.root / PYPROJECT)), *_beside(everything)]  # type: ignore[arg-type]


def _beside(examinations: dict[str, Examination]) -> list[Line]:
    """Run examinations side by side, and return their lines in order; one that takes too long is said, and left."""
    found: dict[str, list[Line]] = {}

    def run(name: str, examination: Examination) -> None:
        try:
            found[name] = list(examination())
        except Exception as error:  # noqa: BLE001  one that breaks must not take the others with it
            what = f"could not be examined: {type(error).__name__}: {error}"
            found[name] = [missing(name, what, "Please report it.")]

    begin = time.monotonic()
    threads = {
        name: threading.Thread(target=run, args=(name, examination), daemon=True)
        for name, examination in examinations.items()
    }
    for thread in threads.values():
        thread.start()
    lines: list[Line] = []
    for name, thread in threads.items():
        limit = SERVER_SECONDS if name in SERVERS else LOCAL_SECONDS
        thread.join(max(0.0, begin + limit - time.monotonic()))
        late = missing(name, f"no result within {limit:.1f} s", "Run the command again, or see what blocks it.")
        lines += found.get(name) or [late]
    return lines
