"""Steps that Prefect runs in the process of a flow run before it loads the flow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from seatrial.io.files import write_once
from seatrial.project import Project

VARIABLES, KEYS = "variables", "keys"


def load_environment(block: str) -> dict[str, str]:
    """Set the variables, and write the keys, that ``seatrial deploy`` keeps in a block of type secret.

    They are in no job variable: those are shown on Prefect's pages, and in what an engine says of a container.

    Args:
        block: name of the block.

    Returns:
        The directory of the project, where the flow is loaded.
    """
    from prefect.blocks.system import Secret

    loaded: Any = Secret.load(block)
    content = loaded.get()
    os.environ.update(content[VARIABLES])
    project = Project.find(Path.cwd())
    folder = project.state / "keys"
    for name, text in content[KEYS].items():
        (folder / name).unlink(missing_ok=True)  # of another deployment, where the folder outlived it
        write_once(folder / name, text.encode())
    return {"directory": str(project.root)}
