"""Capture a reference in a worker, with live dependencies."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from seatrial.isolation import messages
from seatrial.isolation.replayer import RemoteReplayer
from seatrial.parity.streaming.tables import dataset
from seatrial.reference.snapshot import Reference


def capture_in(
    replayer: RemoteReplayer,
    requests: pd.DataFrame | Path,
    *,
    model: Path,
    given: Mapping[str, pd.DataFrame] | None = None,
    labels: pd.DataFrame | None = None,
    seed: int = 0,
) -> Reference:
    """Capture a reference in a worker; see :func:`seatrial.capture`.

    Args:
        replayer: the worker.
        requests: the rows, or a folder of Parquet files of them, of which the worker is given a copy.
        model: the local path of the model.
        given: frames that training itself used, by stage; of requests as a frame.
        labels: the columns of a key and what came true; of requests as a frame.
        seed: the seed the requests were drawn with.

    Raises:
        StageError, PipelineError: as it does.
        UsageError: the Parquet files cannot be read, or are not one table.
        IsolationError: the worker ended, broke a limit or the protocol, or took too long.
    """
    replayer.pipeline()  # it is read before the model is loaded
    given = given or {}
    frames = [*given.values(), *([] if labels is None else [labels])]
    sent = _copied(replayer, requests) if isinstance(requests, Path) else replayer.sent([requests, *frames])
    with sent as file:
        captured: messages.Captured = replayer.request(
            "capture", messages.Captured, replayer.case_seconds, "capturing a reference, case_seconds", file=file,
            given=list(given), labels=labels is not None, seed=seed, model=str(replayer.placed(model)),
        )  # fmt: skip
    keep = tempfile.TemporaryDirectory(prefix="seatrial-reference-")
    root = Path(keep.name) / "reference"
    shutil.move(replayer.process.folders.frames / captured.folder, root)
    loaded = Reference.load(root)
    return Reference(root, loaded.manifest, keep)


@contextlib.contextmanager
def _copied(replayer: RemoteReplayer, requests: Path) -> Iterator[str]:
    """Copy the Parquet files, give the name of their folder, and remove it; a link could be written through."""
    folder = replayer.new_path()
    folder.mkdir()
    try:
        for number, file in enumerate(dataset(requests).files):
            shutil.copyfile(file, folder / f"{number:06d}.parquet")
        yield folder.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)
