"""Run the gate with kfp.local in kfp's own environment, once for each run that standard input asks for as JSON.

The lightweight component runs as kfp.local runs any. Where ``compiled`` names a compiled pipeline, its container steps
run instead: as kfp resolves them, but on this machine, because kfp.local gives containers to an engine alone.
"""

import contextlib
import functools
import json
import os
import sys
from pathlib import Path
from unittest import mock

from kfp import components, dsl, local
from kfp.local.subprocess_task_handler import SubprocessTaskHandler

from seatrial import kfp


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def deploy(version: str):
    import os

    with open(os.environ["DEPLOYED"], "a", encoding="utf-8") as file:
        file.write(f"{version}\n")


def mark(task, *, file: str) -> None:
    task.set_env_variable("DEPLOYED", file)


def main(python: str) -> None:
    for run in json.load(sys.stdin):
        root = Path(run["root"])
        root.mkdir()
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root / "outputs"))
        marked = functools.partial(mark, file=str(root / "deployed.txt"))
        with contextlib.ExitStack() as stack:
            log = stack.enter_context((root / "log.txt").open("w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(log))
            stack.enter_context(contextlib.redirect_stderr(log))
            stack.enter_context(mock.patch.dict(os.environ, run.get("environment", {})))
            if "compiled" in run:
                stack.enter_context(mock.patch.object(SubprocessTaskHandler, "validate_not_container_component"))
                pipeline = components.load_component_from_file(run["compiled"])
            else:
                bound = functools.partial(kfp.local_validation(), python=python, project=run["project"])
                pipeline = kfp.gate(bound, deploy, prepare=marked)
            try:
                pipeline(version=run["version"])
            except RuntimeError as error:
                (root / "failed.txt").write_text(str(error), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
