"""One case of the quality check: a stage, and one ``Quality`` of its policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from seatrial.checks.quality.columns import Lookup
from seatrial.errors import PolicyError, nearest
from seatrial.events import Finding, Measurement, NotEvaluated
from seatrial.metrics import Codes, Metric
from seatrial.policy.quality import Quality
from seatrial.trial import Trial


@dataclass(frozen=True)
class QualityInput:
    """What one case of the quality check works on.

    Attributes:
        check: the name of the check that reports.
        trial: the trial.
        stage: the stage that returns the scores.
        quality: the policy of the stage.
        metrics: the metrics with a limit that can be computed from its scores.
    """

    check: str
    trial: Trial
    stage: str
    quality: Quality
    metrics: tuple[Metric, ...]

    def seed(self, of: str = "") -> list[int]:
        """Return the seed of one bootstrap."""
        return [self.trial.seed, crc32(f"{self.stage} {of}".encode())]

    def finding(self, message: str, cause: str, **more: Any) -> Finding:
        """Return a finding on the score column."""
        return Finding(self.check, self.stage, message, **{"column": self.quality.column, "cause": cause, **more})

    def measurement(self, name: str, value: float) -> Measurement:
        """Return a number on the score column."""
        return Measurement(self.check, self.stage, name, value, column=self.quality.column)

    def not_evaluated(self, reason: str) -> NotEvaluated:
        """Return why a part of the case cannot be evaluated."""
        return NotEvaluated(self.check, self.stage, reason)

    @property
    def columns(self) -> list[str]:
        """The columns of the stage that are read."""
        q = self.quality
        return [c for c in (q.score, *q.scores.values(), q.predicted) if c]


def requests_of(case: QualityInput, keys: pd.DataFrame) -> Codes | None:
    """Return the code of the request of each row; None where each row is one.

    Raises:
        PolicyError: the request column is not known, or a ranking has no requests of several rows.
    """
    pipeline, quality = case.trial.pipeline, case.quality
    lookup = Lookup(case.trial, case.stage, keys)
    if quality.request:
        found = keys[quality.request] if quality.request in keys.columns else lookup.find(quality.request, labels=True)
        if found is None:
            known = lookup.known(labels=True)
            raise PolicyError(
                f"Quality(request='{quality.request}') of stage '{case.stage}' is not a column of the labels, of this "
                f"stage or an earlier one. Columns: {', '.join(known[:20])}.{nearest(quality.request, known)}"
            )
        codes: Codes = pd.factorize(found, use_na_sentinel=False)[0]
        return codes
    if len(pipeline.key_of(case.stage)) > len(pipeline.key_of()):
        return np.asarray(keys.groupby(list(pipeline.key_of()), sort=False, dropna=False).ngroup())
    if quality.task == "ranking":
        raise PolicyError(
            f"{case.quality.every_metric[0].name} of stage '{case.stage}' ranks the rows of a request, but each row is "
            "a request of its own. Set request= to the column that the rows of one list share, or give the stage a "
            'key of several columns: Stage(..., key=("id", "item")).'
        )
    return None
