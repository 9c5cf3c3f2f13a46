"""The sink is registered and keeps its protocol."""

from __future__ import annotations

import json
from pathlib import Path

from seatrial_jsonl import JsonLines

from seatrial import run
from seatrial.testing import registered, sample_pipeline, sample_reference, sink_conforms


def test_it_is_registered() -> None:
    registered("sinks", "jsonl", JsonLines)


def test_it_conforms(tmp_path: Path) -> None:
    sink_conforms(JsonLines, tmp_path)


def test_a_run_is_written_from_plan_to_verdict(tmp_path: Path) -> None:
    run(sample_pipeline(), sample_reference(), ["golden"], sinks=[JsonLines(tmp_path / "events.jsonl")])
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert events[0]["event"] == "planned"
    assert events[-1]["outcome"] == "pass"
