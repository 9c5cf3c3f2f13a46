"""Files with every request of the load runs."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd

from seatrial.events import Attachment
from seatrial.loadgen.histogram import histogram, merge
from seatrial.loadgen.results import OUTCOMES, LoadRun
from seatrial.pipeline import SERVICE


def all_requests(name: str, runs: Sequence[LoadRun]) -> Attachment:
    """Return every request of every run as Parquet: seconds from the run's start, HTTP status, outcome."""
    frames = [
        pd.DataFrame(
            {
                "run": np.int16(n + 1),
                "scheduled_seconds": run.scheduled,
                "sent_seconds": run.sent,
                "done_seconds": run.done,
                "status": run.status,
                "outcome": pd.Categorical.from_codes(run.outcome, categories=list(OUTCOMES)),
            }
        )
        for n, run in enumerate(runs)
    ]
    file = io.BytesIO()
    pd.concat(frames, ignore_index=True).to_parquet(file, index=False)
    return Attachment(name, SERVICE, "load/latencies.parquet", file.getvalue())


def latency_histogram(name: str, runs: Sequence[LoadRun]) -> Attachment:
    """Return the latencies of all runs as one encoded HdrHistogram, in microseconds, to which others can be added."""
    total = merge(histogram(run.latencies) for run in runs)
    return Attachment(name, SERVICE, "load/latencies.hdr", total.encode())
