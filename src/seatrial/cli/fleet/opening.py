"""Open a project and its ledger, for the commands that see and steer versions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from seatrial.cli.preflight.servers import check_ledger
from seatrial.ledger import Ledger
from seatrial.project import Project


@contextlib.contextmanager
def opened(directory: Path) -> Iterator[tuple[Project, Ledger]]:
    """Yield the project at a directory or above it, and its ledger.

    Raises:
        ProjectError: there is no project.
        UsageError: the ledger's address cannot be used.
    """
    project = Project.find(directory)
    project.activate()
    check_ledger()
    with Ledger.of(project.state) as ledger:
        yield project, ledger
