"""What every tracker promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seatrial.events import Outcome
from seatrial.registry.protocol import Fetched, Tracker, Version
from seatrial.registry.runs import run_payload
from seatrial.testing.registration import require
from seatrial.testing.samples import sample_reference, sample_verdict

FILES = {"report.html": b"<!doctype html><title>report</title>", "nested/note.txt": b"a note\n"}


@dataclass(frozen=True)
class LoggedRun:
    """A run as a tracker has it, read by other code than wrote it: the platform's own reader or file format.

    Attributes:
        verdict: the outcome, as people see it there.
        metrics: by name.
        params: by name, as text.
        files: of the run, by path, such as ``report.html``.
    """

    verdict: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    files: Mapping[str, bytes] = field(default_factory=dict)


ReadBack = Callable[[str], LoggedRun]
"""Reads the run with an id that log_run returned."""


def tracker_conforms(tracker: Tracker, read_back: ReadBack, folder: Path) -> None:
    """Hold a tracker to its protocol: a pass, a fail and an inconclusive are logged whole, and each once.

    Args:
        tracker: an empty tracker of the test.
        read_back: reads a run that it logged.
        folder: an empty directory of the test.

    Raises:
        AssertionError: the first promise that is broken.
    """
    require(isinstance(tracker, Tracker), f"{type(tracker).__name__} lacks log_run.")
    reference = sample_reference()
    version = Version("conformance-sample", "3", 1_700_000_000_000, "", "")
    fetched = Fetched(version, folder, "sha256:" + "0" * 64, reference)
    ids = set[str]()
    for outcome in (Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE):
        results = folder / outcome.value
        for path, content in FILES.items():
            (results / path).parent.mkdir(parents=True, exist_ok=True)
            (results / path).write_bytes(content)
        body = run_payload(sample_verdict(outcome), fetched)
        logged = {tracker.log_run(body, results, f"subject/{outcome.value}/1") for _ in range(2)}
        require(len(logged) == 1, f"log_run logged {len(logged)} runs under one key.")
        [run_id] = logged
        require(run_id and run_id not in ids, "log_run returned an id of another run, or none.")
        ids.add(run_id)
        _same(read_back(run_id), outcome, body["metrics"], body["params"])


def _same(found: LoggedRun, outcome: Outcome, metrics: Mapping[str, float], params: Mapping[str, str]) -> None:
    require(found.verdict == outcome.value, f"The run says '{found.verdict}'; the verdict is '{outcome.value}'.")
    lost = {name for name, value in metrics.items() if found.metrics.get(name) != value}
    require(not lost, f"Metrics are missing or changed: {sorted(lost)}.")
    lost = {name for name, value in params.items() if found.params.get(name) != value}
    require(not lost, f"Parameters are missing or changed: {sorted(lost)}.")
    lost = {name for name, content in FILES.items() if found.files.get(name) != content}
    require(not lost, f"Files are missing or changed: {sorted(lost)}; the run has {sorted(found.files)}.")
