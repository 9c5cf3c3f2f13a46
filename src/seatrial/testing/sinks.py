"""What every sink promises."""

from __future__ import annotations

from pathlib import Path

from seatrial.events import Case, Outcome
from seatrial.sinks.base import Sink, SinkFactory
from seatrial.testing.registration import require
from seatrial.testing.samples import sample_events, sample_verdict

HOSTILE = "</script><b>\x1b[31m\u202e\ud800 |`{{7*7}}`\n# title"  # what the author of a model may write


def sink_conforms(factory: SinkFactory, folder: Path) -> None:
    """Hold a sink to its protocol: a whole run of every outcome, hostile text, one file and nothing beside it.

    Args:
        factory: the class that is made with a path.
        folder: an empty directory of the test.

    Raises:
        AssertionError: the first promise that is broken.

    Example:
        >>> from tempfile import mkdtemp
        >>> from seatrial.sinks.json import JsonReport
        >>> sink_conforms(JsonReport, Path(mkdtemp()))
    """
    for outcome in Outcome:
        for text in ("", HOSTILE):
            path = folder / "new" / "result.out"
            _run(factory(path), outcome, text)
            require(path.is_file() and path.stat().st_size, f"After a verdict '{outcome}' there is nothing at {path}.")
            beside = sorted(p.name for p in path.parent.iterdir() if p != path)
            require(not beside, f"The sink left {beside} beside its file.")
            first = path.read_bytes()
            _run(factory(path), outcome, text)
            require(path.read_bytes() == first, "The same run was written otherwise over the same file.")


def _run(sink: Sink, outcome: Outcome, text: str) -> None:
    require(isinstance(sink, Sink), f"{type(sink).__name__} is not derived from seatrial.Sink.")
    sink.planned([Case("golden", "features")])
    sink.progress(1, 2, text or "rows")
    for event in sample_events(outcome, text):
        sink.event(event)
    sink.verdict(sample_verdict(outcome, text))
