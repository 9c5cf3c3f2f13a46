"""How long the paired bootstrap of an AUC takes: ``python tests/bench/bench_quality.py``.

Yardstick: 20 calls of scikit-learn's ``roc_auc_score`` on the same resamples in the same run, times 100.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from seatrial.checks.quality.samples import RESAMPLES, LabelledSample
from seatrial.metrics import METRICS, resamples

ROWS = 2_000

rng = np.random.default_rng(0)
y = (rng.random(ROWS) < 0.2).astype(float)
a, b = y + rng.normal(size=ROWS), y + rng.normal(size=ROWS)
data = LabelledSample(y, a, b, pd.Series(range(ROWS)))
begin = time.perf_counter()
data.bootstrap([METRICS["roc_auc"]], [0])
ours = time.perf_counter() - begin
begin = time.perf_counter()
for weights in next(resamples(ROWS, 20, 0)):
    roc_auc_score(y, a, sample_weight=weights)
    roc_auc_score(y, b, sample_weight=weights)
theirs = (time.perf_counter() - begin) * RESAMPLES / 20
print(f"{ROWS:,} rows, {RESAMPLES:,} resamples, two models: {ours:.2f} s; scikit-learn, one by one: {theirs:.2f} s")
print(f"ratio: {theirs / ours:.1f} times faster")
