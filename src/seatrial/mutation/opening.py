"""Where the stages of a mutation test run: in processes that are forked from a worker, or, by plain calls, here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from seatrial.checks.engine import loaded
from seatrial.errors import ProjectError, UsageError
from seatrial.isolation.launch import Launch
from seatrial.isolation.replayer import RemoteReplayer
from seatrial.mutation.forks import ForkServer
from seatrial.mutation.pool import Opener
from seatrial.pipeline import LocalReplayer, Pipeline, Replayer
from seatrial.project import Project
from seatrial.reference.snapshot import Reference


def fork_server(pipeline: Pipeline) -> ForkServer:
    """Start a worker for a pipeline that was loaded from a project, in this interpreter; use it in a ``with`` block.

    Raises:
        UsageError: the pipeline was not loaded from a project.
    """
    if (source := pipeline.source) is None:
        raise UsageError(
            f"Pipeline '{pipeline.name}' was not loaded from a project, so its code cannot be mutated. Load it "
            "with Project.find(…).pipeline(), or set kinds=['frame']."
        )
    try:
        root = Project.find(source[0].parent).root
    except ProjectError:
        root = source[0].parent
    return ForkServer(lambda: RemoteReplayer(Launch(), source), source, root=root)


@contextmanager
def opened(
    pipeline: Pipeline, reference: Reference, model: Any, server: ForkServer | None, *, wants_code: bool
) -> Iterator[tuple[Opener, ForkServer | None]]:
    """Give what opens a replayer, and the server it is forked from; none where the stages are called here.

    Args:
        pipeline: the path.
        reference: what training recorded.
        model: the local path of the model, or a loaded model.
        server: the worker that read the pipeline, if there is one.
        wants_code: code will be mutated.

    Raises:
        UsageError: code is mutated, and the model is one that no other process can load.
    """
    is_path = model is None or isinstance(model, str | os.PathLike)
    if wants_code and pipeline.source is not None and not is_path:
        raise UsageError(
            "Code mutants run in a process of their own, which loads the model itself: give model= the local path of "
            f"the model and not a loaded {type(model).__name__}, or set kinds=['frame']."
        )
    if server is None and not wants_code and (pipeline.source is None or not is_path):
        _warm(reference)
        local = LocalReplayer(
            pipeline, models={"version": loaded(pipeline, model)}, recorded=_once(reference), columns=reference.columns
        )
        yield lambda _: nullcontext[Replayer](local), None
        return
    owned: AbstractContextManager[ForkServer] = nullcontext(server) if server else fork_server(pipeline)
    with owned as running:
        _warm(reference)  # while the worker reads the pipeline
        running.load(reference, {} if model is None else {"version": Path(model)})
        yield running.fork, running


def _once(reference: Reference) -> Callable[[], dict[str, Any]]:
    clients = reference.clients()
    return lambda: dict(clients)


def _warm(reference: Reference) -> None:
    """Read and import what every evaluation needs."""
    from seatrial.checks.expectations.check import warm_up

    warm_up()
    for stage in reference.stages:
        reference.frame(stage)
        reference.input_of(stage)
