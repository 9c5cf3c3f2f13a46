"""How much processor time the paired bootstrap takes: ``python tests/bench/bench_quality.py``.

Yardstick: 20 calls of scikit-learn's ``roc_auc_score`` on the same resamples in the same run, times 100. Then every
metric of each task on a million rows, where fewer resamples are drawn.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from seatrial.checks.quality.samples import RESAMPLES, LabelledSample
from seatrial.metrics import METRICS, Predictions, resamples

ROWS = 2_000
MANY = 1_000_000


def sample(*models: Predictions) -> LabelledSample:
    """Return two models on the same rows."""
    keys = pd.DataFrame({"id": np.arange(len(models[0]))})
    return LabelledSample(keys, dict(zip(("version", "champion"), models, strict=True)))


rng = np.random.default_rng(0)
y = (rng.random(ROWS) < 0.2).astype(float)
a, b = y + rng.normal(size=ROWS), y + rng.normal(size=ROWS)
data = sample(Predictions(y, a), Predictions(y, b))
begin = time.process_time()
data.bootstrap([METRICS["roc_auc"]], [0])
ours = time.process_time() - begin
begin = time.process_time()
for weights in next(resamples(ROWS, 20, 0)):
    roc_auc_score(y, a, sample_weight=weights)
    roc_auc_score(y, b, sample_weight=weights)
theirs = (time.process_time() - begin) * RESAMPLES / 20
print(f"{ROWS:,} rows, {RESAMPLES:,} resamples, two models: {ours:.2f} s; scikit-learn, one by one: {theirs:.2f} s")
print(f"ratio: {theirs / ours:.1f} times faster")

p, kind = rng.dirichlet(np.ones(3), MANY), rng.integers(0, 3, MANY).astype(float)
event, requests = (kind == 0).astype(float), np.arange(MANY) // 10
TASKS = {
    "events": (Predictions(event, p[:, 0], (p[:, 0] >= 0.5).astype(np.int64)), ["roc_auc", "log_loss", "f1"]),
    "classes": (Predictions(kind, p, p.argmax(axis=1), 3), ["roc_auc_ovr", "log_loss", "f1_macro"]),
    "numbers": (Predictions(kind, p[:, 0]), ["rmse", "r2"]),
    "ranking": (Predictions(kind, p[:, 0], None, 2, requests), ["ndcg", "map", "mrr"]),
}
for predictions, names in TASKS.values():
    begin = time.process_time()
    drawn = sample(predictions, predictions).bootstrap([METRICS[name] for name in names], [0])
    count = len(drawn[names[0]]["version"])
    print(f"{MANY:,} rows, {count} resamples, two models, {', '.join(names)}: {time.process_time() - begin:.1f} s")
