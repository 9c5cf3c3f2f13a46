"""One stage under this check: its input, its answer in one batch, and the tolerances for further answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from seatrial.checks.invariants.asked import Asked, asked_of
from seatrial.checks.invariants.reassembly import names_requests, rows_of
from seatrial.parity.agreement.choose import Allowed, applicable
from seatrial.parity.compare import Tolerance
from seatrial.parity.noisy import compare_noisy
from seatrial.parity.reading import column
from seatrial.parity.result import Parity
from seatrial.parity.tolerance import bounds
from seatrial.reference.layout.pieces import Replay
from seatrial.trial import Trial

# Representable numbers by which a float may move between batches: BLAS sums in another order for another shape.
# Measured with scikit-learn, a batch against one row: trees 0, logistic regression and multilayer perceptron up to 65.
# 65 are 1e-14 of a float64 and 8e-6 of a float32, and would be 6 % of a float16, in which nothing is summed: what was
# computed more precisely and rounded to it moves by one, and by two where two roundings meet.
ULP: Mapping[str, int] = {"float64": 65, "float32": 65, "float16": 2}
_PRECISION = re.compile(r"float(?:16|32|64)|halffloat|double|float")
_ARROW = {"halffloat": "float16", "float": "float32", "double": "float64"}


@dataclass(frozen=True)
class StageProbe:
    """One stage under this check.

    Attributes:
        trial: the trial.
        stage: the name of the stage.
        asked: the part of its recorded input that it is asked again.
        answer: its answer to that part in one batch.
        of_all: the rows of that part in its answer to all of its input in one batch.
        tolerances: of its columns.
        replay: which of its answers these are, on its recorded input or at the end of the path.
    """

    trial: Trial
    stage: str
    asked: Asked
    answer: pd.DataFrame
    of_all: pd.DataFrame
    tolerances: Mapping[str, Allowed]
    replay: Replay = "isolated"

    @classmethod
    def of(cls, trial: Trial, stage: str) -> StageProbe:
        """Replay the stage on its recorded input, or on a sample of it, and return it with its tolerances.

        Raises:
            StageError: the stage raised.
        """
        asked, whole = asked_of(trial, stage), trial.isolated(stage)
        answer = trial.replay(stage, [asked.rows])[0] if asked.sampled else whole
        return cls.on(trial, stage, asked, answer, whole)

    @classmethod
    def on(
        cls, trial: Trial, stage: str, asked: Asked, answer: pd.DataFrame, whole: pd.DataFrame,
        replay: Replay = "isolated",
    ) -> StageProbe:  # fmt: skip
        """Return the stage with its answer to what is asked, and its answer to everything."""
        key = trial.pipeline.key_of()
        of_all = whole
        if asked.sampled:
            keys = asked.rows if names_requests(asked.rows, answer, key) else answer
            of_all = rows_of(whole, keys, key)
        own = applicable(trial.policy.of(stage).tolerances, list(whole.columns), lambda c: column(whole[c]))
        tolerances = {
            str(name): _with_ulp(own.get(str(name), Tolerance()), whole[name])
            for name in whole.columns
            if name not in trial.pipeline.key_of(stage)
        }
        return cls(trial, stage, asked, answer, of_all, tolerances, replay)

    @property
    def request_key(self) -> tuple[str, ...]:
        """The columns that name a request."""
        return self.trial.pipeline.key_of()

    def again(self, batches: Iterable[Any]) -> list[pd.DataFrame]:
        """Run the stage on some rows for each batch."""
        return self.trial.replay(self.stage, [self.asked.batch(rows) for rows in batches])

    def parity(self, expected: pd.DataFrame, actual: pd.DataFrame) -> Parity:
        """Compare two answers, row by row by the stage's own key."""
        key: Any = self.trial.pipeline.key_of(self.stage)
        return compare_noisy(
            expected,
            actual,
            key=key[0] if len(key) == 1 else key,
            tolerances={c: t for c, t in self.tolerances.items() if c in expected.columns},
            noise=self.trial.noise(self.stage, self.replay),
            scale_of=self.of_all,
            distributions=False,
        )


def cells(parity: Parity) -> int:
    """Return how many cells were compared; the key is one of them in every row."""
    return parity.rows_compared * (1 + len(parity.columns))


def _with_ulp(own: Allowed, values: pd.Series) -> Allowed:
    """Return the column's own tolerance, for floats at least ``ULP``; the default bounds of its type still hold.

    The floats within lists and structs are those of the column: the least precise of them decides.
    """
    if not isinstance(own, Tolerance):
        return own
    logical = column(values.iloc[:1000]).logical
    kinds = {_ARROW.get(kind, kind) for kind in _PRECISION.findall(logical)}
    if not kinds:
        return own
    kind = min(kinds)  # float16 before float32 before float64
    limits = bounds(own, kind, kind)
    return replace(own, rtol=limits.rtol, ulp=max(min(ULP[k] for k in kinds), own.ulp or 0))
