"""What is done with one partition at a time: consecutive stages, and what was found of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from seatrial.errors import StageError
from seatrial.parity.streaming.frames.totals import FrameTotals

Replay = Literal["isolated", "chained"]
"""The stage replay (a stage on its recorded input) or the end-to-end replay (the whole path from the requests)."""

Place = tuple[str, Replay]
"""A stage, and what it was replayed on: its recorded input, or what the stages before it returned."""

Found = Mapping[Place, FrameTotals | StageError]


@dataclass(frozen=True)
class Piece:
    """Consecutive stages that run on one partition.

    Attributes:
        number: of the partition.
        stages: their names.
        start: what the end-to-end replay gives the first of them: None for the requests, or why there is nothing.
        ends: whether the frame of the last stage is needed.
    """

    number: int
    stages: tuple[str, ...]
    start: pd.DataFrame | StageError | None
    ends: bool


@dataclass(frozen=True)
class Done:
    """What was found on one partition, and what the last stage returned there, where it is needed."""

    found: Found
    end: pd.DataFrame | StageError | None
