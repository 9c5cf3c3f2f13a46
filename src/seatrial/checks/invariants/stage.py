"""One stage under this check: its input, its answer in one batch, and the tolerances for further answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from seatrial.parity.compare import Tolerance, compare
from seatrial.parity.reading import column
from seatrial.parity.result import Parity
from seatrial.parity.tolerance import bounds
from seatrial.trial import Trial

# Representable numbers by which a float may move between batches: BLAS sums in another order for another shape.
# Measured with scikit-learn, a batch against one row: trees 0, logistic regression and multilayer perceptron up to 65.
ULP = 65


@dataclass(frozen=True)
class StageProbe:
    """One stage under this check: its input, its answer in one batch, and the tolerances for further answers."""

    trial: Trial
    stage: str
    given: pd.DataFrame
    answer: pd.DataFrame
    tolerances: Mapping[str, Tolerance]
    floors: Mapping[str, float]

    @classmethod
    def of(cls, trial: Trial, stage: str) -> StageProbe:
        """Replay the stage on its recorded input and return it with its tolerances."""
        answer = trial.isolated(stage)
        floors = {c: f for c, f in trial.reference.noise.get(stage, {}).items() if c in answer.columns}
        own = trial.policy.of(stage).tolerances
        tolerances = {
            str(name): _with_ulp(own.get(name, Tolerance()), answer[name])
            for name in answer.columns
            if name != trial.pipeline.key
        }
        return cls(trial, stage, trial.input_of(stage), answer, tolerances, floors)

    def again(self, batches: Iterable[Any]) -> list[pd.DataFrame]:
        """Run the stage on some rows for each batch, with a new index: a request has none."""
        return self.trial.replay(self.stage, [self.given.iloc[rows].reset_index(drop=True).copy() for rows in batches])

    def parity(self, expected: pd.DataFrame, actual: pd.DataFrame) -> Parity:
        """Compare two answers."""
        return compare(
            expected,
            actual,
            key=self.trial.pipeline.key,
            tolerances=self.tolerances,
            floors=self.floors,
            distributions=False,
        )


def cells(parity: Parity) -> int:
    """Return how many cells were compared; the key is one of them in every row."""
    return parity.rows_compared * (1 + len(parity.columns))


def _with_ulp(own: Tolerance, values: pd.Series) -> Tolerance:
    """Return the column's own tolerance, for floats at least ``ULP``; the default bounds of its type still hold."""
    if not pd.api.types.is_float_dtype(values.dtype):
        return own
    kind = column(values.iloc[:1]).logical
    limits = bounds(own, kind, kind)
    return replace(own, rtol=limits.rtol, atol=limits.atol, ulp=max(ULP, own.ulp or 0))
