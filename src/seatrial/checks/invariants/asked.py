"""The requests that a stage, or a chain of stages, is asked again: all of them, or a sample of whole requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from seatrial.checks.invariants.variations import MOST_ROWS, Positions, sample
from seatrial.pipeline.requests import request_numbers
from seatrial.trial import Trial


@dataclass(frozen=True)
class Asked:
    """The rows that variations are made of.

    Attributes:
        rows: the input, reduced to the sample, with an index of its own.
        numbers: of each row its request, counted from 0.
        of_requests: how many requests the reference has.
        of_rows: how many rows the input has in the reference.
    """

    rows: pd.DataFrame
    numbers: Positions
    of_requests: int
    of_rows: int

    @property
    def requests(self) -> int:
        """How many requests the sample has."""
        return int(self.numbers.max(initial=-1)) + 1

    @property
    def sampled(self) -> bool:
        """Whether it lacks rows of the input."""
        return len(self.rows) < self.of_rows

    def batch(self, rows: Any) -> pd.DataFrame:
        """Return some rows as a frame with a new index: a request has none."""
        part = self.rows.iloc[rows]
        part.index = pd.RangeIndex(len(part))
        return part


def asked_of(trial: Trial, stage: str) -> Asked:
    """Return the part of a stage's recorded input that it is asked again; drawn once a trial."""

    def draw() -> Asked:
        given, key = trial.reference.input_of(stage), trial.pipeline.key_of()
        numbers = request_numbers(given, key)
        rows = sample(given, numbers, np.random.default_rng([trial.seed, crc32(stage.encode())]), MOST_ROWS)
        if len(rows) == len(given):
            return Asked(given, numbers, int(numbers.max(initial=-1)) + 1, len(given))
        part = given.iloc[rows].reset_index(drop=True)
        return Asked(part, request_numbers(part, key), int(numbers.max()) + 1, len(given))

    return trial.once(("invariants ask", stage), draw)
