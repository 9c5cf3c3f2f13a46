"""The reference: what the stages gave at training time, with everything needed to replay them, in one directory."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import ReferenceInvalid, nearest
from seatrial.io import bundle, parquet
from seatrial.parity.streaming.frames.stack import stacked
from seatrial.pipeline import Key, Pipeline, key_columns
from seatrial.reference.layout import partition
from seatrial.reference.layout.entries import FORMAT
from seatrial.reference.record import answers_of, write_record
from seatrial.reference.recording import Answers, RecordedClient

COPY_ON_WRITE = int(pd.__version__.partition(".")[0]) >= 3
FIELDS = {"pipeline", "key", "path", "stages", "dependencies", "noise", "samples"}


class Reference:
    """A training-time snapshot, read from its directory on first use.

    Attributes:
        root: the directory; for a reference just captured a temporary one that goes with this object.
        manifest: what the directory holds, verified.
    """

    def __init__(
        self, root: Path, manifest: Mapping[str, Any], keep: Any = None, *, read_only: bool = False
    ) -> None:  # fmt: skip
        self.root, self._read_only = root, read_only
        self.manifest = manifest
        self._keep = keep
        self._frames: dict[str, pd.DataFrame] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: str | Path) -> Reference:
        """Open the reference at ``path``; ReferenceInvalid explains what is wrong with a damaged or foreign one."""
        root = Path(path)
        manifest = bundle.open_manifest(root, "reference")
        if manifest.get("kind") != "reference" or manifest.get("format") != FORMAT:
            raise ReferenceInvalid(
                f"{root} holds a {manifest.get('kind', 'bundle')} of format {manifest.get('format')}; "
                f"this seatrial reads references of format {FORMAT}. Capture it again."
            )
        files = set(partition.needed_files(manifest)) if isinstance(manifest.get("path"), list) else set()
        if missing := [*sorted(FIELDS - set(manifest)), *sorted(files - set(manifest["files"]))]:
            raise ReferenceInvalid(f"The reference at {root} is not whole: it lacks {', '.join(missing[:3])}.")
        if problem := partition.problem(manifest):
            raise ReferenceInvalid(f"The reference at {root} is not whole: {problem}. Capture it again.")
        return cls(root, manifest)

    def save(self, path: str | Path) -> Path:
        """Write the reference to ``path``, whole or not at all, and return it."""
        return bundle.copy(self.root, Path(path))

    @property
    def digest(self) -> str:
        """``sha256:…`` of everything in it but the environment; the same for two captures of the same thing."""
        return str(self.manifest["digest"])

    @property
    def pipeline(self) -> str:
        """The name of the pipeline it was captured with."""
        return str(self.manifest["pipeline"])

    @property
    def key(self) -> Key:
        """The column that names a request, or the columns that do together."""
        return _key(self.manifest["key"])

    def key_of(self, stage: str) -> tuple[str, ...]:
        """Return the columns that name a row of a stage's frame."""
        own = self.manifest["stages"][stage].get("key")
        return key_columns(self.key if own is None else _key(own))

    @property
    def stages(self) -> tuple[str, ...]:
        """The stage names in the order they ran."""
        return tuple(self.manifest["path"])

    @property
    def columns(self) -> frozenset[str]:
        """The column names of all its stages' frames."""
        return frozenset(c for stage in self.manifest["stages"].values() for c in stage["columns"])

    @property
    def noise(self) -> Mapping[str, Mapping[str, float]]:
        """Stage to column to the standard deviation of a row between runs of the same thing at capture."""
        return {stage: entry["columns"] for stage, entry in self.manifest["noise"].items() if entry.get("columns")}

    @property
    def partitions(self) -> int:
        """How many partitions it was captured in; 1 where it was captured from a frame."""
        return int(self.manifest.get("partitions", 1))

    def part(self, number: int, *, read_only: bool = False) -> Reference:
        """Return one partition, from 0, as a reference of its own: its requests, and what each stage gave for them.

        The first of ``n`` partitions is a sample of about one in ``n`` requests, drawn by the hash of their key. Of one
        that is ``read_only``, frames are read faster, and cannot be written into.

        Raises:
            ReferenceInvalid: there is no such partition.

        Example:
            >>> from seatrial import Pipeline, capture
            >>> shop = Pipeline("shop", key="id", raw=lambda f: f, score=lambda f: f.assign(score=f["amount"] / 2))
            >>> reference = capture(shop, pd.DataFrame({"id": ["t-1", "t-2"], "amount": [8.0, 2.0]}))
            >>> reference.partitions, len(reference.part(0).requests)
            (1, 2)
        """
        if not 0 <= number < self.partitions:
            raise ReferenceInvalid(
                f"The reference has no partition {number}; its partitions: 0 to {self.partitions - 1}."
            )
        if "partitions" not in self.manifest:
            return self
        root, manifest, keep = partition.open_part(self.root, self.manifest, number)
        return Reference(root, manifest, (keep, self), read_only=read_only)

    @property
    def whole_stages(self) -> Mapping[str, str]:
        """By stage that ran on the rows of all partitions together, why: its answers depend on other requests."""
        return {stage: entry["whole"] for stage, entry in self.manifest["stages"].items() if "whole" in entry}

    @property
    def requests(self) -> pd.DataFrame:
        """The request rows the first stage got; of a reference in partitions, as all frames, those of the first one
        first, in memory together.
        """
        return self._read("requests.parquet")

    @property
    def labels(self) -> pd.DataFrame | None:
        """The key and label columns, where labels were given."""
        return self._read("labels.parquet") if "labels.parquet" in self.manifest["files"] else None

    def frame(self, stage: str) -> pd.DataFrame:
        """Return what ``stage`` gave at training time; ReferenceInvalid with the nearest name when it has none."""
        if stage not in self.stages:
            raise ReferenceInvalid(
                f"The reference has no stage '{stage}'. It was captured with: {', '.join(self.stages)}."
                f"{nearest(stage, self.stages)}"
            )
        return self._read(f"stages/{stage}.parquet")

    def input_of(self, stage: str) -> pd.DataFrame:
        """Return what ``stage`` was fed at training time: the previous stage's frame, or the requests."""
        at = self.stages.index(stage) if stage in self.stages else -1
        return self.requests if at == 0 else self.frame(self.stages[at - 1] if at > 0 else stage)

    def answers(self, dependency: str) -> Answers:
        """Return what a dependency answered at capture."""
        return answers_of(dependency, self.manifest["dependencies"], self._read)

    def clients(self) -> dict[str, RecordedClient]:
        """Return a stand-in for every dependency that answers as it did at capture."""
        return {name: RecordedClient(name, self.answers(name)) for name in self.manifest["dependencies"]}

    def write_record(self, folder: Path) -> None:
        """Write what the dependencies answered into a folder, for a process that runs stages."""
        write_record(self.root, self.manifest, self.columns, folder)

    def matches(self, pipeline: Pipeline) -> None:
        """Raise ReferenceInvalid unless this reference was captured with this pipeline and holds all its stages."""
        if self.pipeline != pipeline.name:
            raise ReferenceInvalid(
                f"The reference was captured with pipeline '{self.pipeline}', and this is '{pipeline.name}'. "
                "Each model version carries a reference of its own: capture one in its training run."
            )
        if self.key != pipeline.key:
            raise ReferenceInvalid(
                f"The reference is keyed by {_listed(self.key)}, and the pipeline by {_listed(pipeline.key)}."
            )
        if self.stages != pipeline.stages:
            missing = [s for s in pipeline.stages if s not in self.stages]
            what = f"It lacks '{missing[0]}'.{nearest(missing[0], self.stages)}" if missing else "They differ."
            raise ReferenceInvalid(
                f"The reference has the stages {', '.join(self.stages)}; the pipeline has "
                f"{', '.join(pipeline.stages)}. "
                f"{what} Capture the reference again with this pipeline."
            )
        for stage in self.stages:
            if self.key_of(stage) != pipeline.key_of(stage):
                raise ReferenceInvalid(
                    f"Stage '{stage}' is keyed by {_listed(self.key_of(stage))} in the reference, and by "
                    f"{_listed(pipeline.key_of(stage))} in the pipeline. Capture the reference again."
                )

    def _read(self, name: str) -> pd.DataFrame:
        with self._lock:
            if name not in self._frames:
                parts = partition.files_of(name, self.manifest)
                self._frames[name] = stacked(
                    [parquet.read_frame(self.root / part, read_only=self._read_only) for part in parts]
                )
            return shared(self._frames[name])

    def __reduce__(self) -> tuple[Any, ...]:
        return Reference, (self.root, self.manifest)  # what was read, and a temporary directory, stay here

    def __repr__(self) -> str:
        return f"Reference({self.pipeline!r}, {' → '.join(self.stages)}, {self.digest[:19]}…)"


def _key(stored: str | Sequence[str]) -> Key:
    return stored if isinstance(stored, str) else tuple(map(str, stored))


def _listed(key: Key) -> str:
    return ", ".join(f"'{name}'" for name in key_columns(key))


def shared(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame that may be written into and leaves this one alone; from pandas 3 on it costs no memory."""
    return frame.copy(deep=not COPY_ON_WRITE)
