"""Judge a stage that answers differently each time by the rate at which its answers agree with the recorded ones.

The stage is asked n times for a sample of the recorded requests, whole requests at a time. An answer for a row agrees,
in a column, where it equals one of the recorded answers for that row within the column's tolerance. The rate of each
column is bounded exactly (Clopper and Pearson, Biometrika 26, 1934); the confidence is divided over the columns:

- *fail*: the upper bound is below ``at_least``.
- *pass*: the lower bound is not below ``at_least``. With ``at_least=1`` no bound can show that: all answers must agree.
- *inconclusive* otherwise, with the number of answers that would tell if the rate stays what it is.

The rate is that of the rows that were asked; the answers to one row are repeated measurements of it. That makes the
number of agreeing answers vary less than a binomial one (Hoeffding, Ann. Math. Stat. 27, 1956), so the bounds hold.
Answers of one call may depend on each other: where calls differ by more than chance, as many answers count as the
design effect leaves (Kish, Survey Sampling, 1965).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from zlib import crc32

import numpy as np
import pandas as pd

from seatrial.checks.expectations.rates import Agreeing, Rate, rate_of
from seatrial.checks.findings import differences
from seatrial.checks.gx.user import user_expectations
from seatrial.events import Evaluated, Event, Finding, Measurement, NotEvaluated, Severity
from seatrial.formatting import part_of, plural, share
from seatrial.parity.agreement.choose import Allowed
from seatrial.parity.compare import compare
from seatrial.parity.noisy import key_text
from seatrial.pipeline import Samples
from seatrial.reference.allowance import recorded_answers
from seatrial.trial import Trial

REQUESTS = 100  # asked at most, n times each
_ROW = "\x1frow"  # no column of a project has this name


def judge_agreement(trial: Trial, stage: str, name: str) -> Iterator[Event]:
    """Ask a stage several times and judge the rate of agreement of each column.

    Raises:
        StageError: the stage raised, or returned no valid frame.
    """
    samples = trial.pipeline.stage(stage).samples
    assert samples is not None
    recorded = recorded_answers(trial.reference, stage)
    if not recorded:
        reason = f"the reference has no several answers of stage '{stage}': capture it again with Stage(samples=...)"
        yield NotEvaluated(name, stage, reason)
        return
    batches, left_out = _asked(trial, stage, samples)
    answers = trial.replay(stage, batches)
    key = trial.pipeline.key_of(stage)
    requests = set(key_text(batches[0], trial.pipeline.key)) if _keyed(trial, batches[0]) else None
    kept = [_of_requests(frame, trial.pipeline.key, requests) for frame in recorded]
    structure = compare(kept[0], answers[0], tolerances={}, distributions=False, **trial.pipeline.rows_of(stage))
    odd = [f for f in differences(name, stage, structure) if f.cause in ("missing-column", "extra-column", "dtype")]
    odd = [f for f in odd if f.cause != "dtype" or any(not c.dtype_ok for c in structure.columns)]
    yield from odd
    agree = agreement(answers, kept, key, trial.policy.of(stage).tolerances)
    yield Finding(
        name, stage,
        f"Stage '{stage}' answers differently each time. It was asked {plural(samples.n, 'time')} for "
        f"{plural(len(kept[0]), 'row')}{left_out}, and its answers were compared with {len(recorded):,} recorded ones.",
        severity=Severity.INFO, cause="sampled",
    )  # fmt: skip
    rates = {column: rate_of(matrix, samples, len(agree)) for column, matrix in agree.items()}
    passed = all(rate.decision == "pass" for rate in rates.values())
    itself = agree if passed else agreement(kept, kept, key, trial.policy.of(stage).tolerances, itself=True)
    for column, rate in rates.items():
        yield Measurement(name, stage, "agreement", rate.agree / rate.of if rate.of else 0.0, column=column)
        if column not in {f.column for f in odd}:
            yield from _judged(name, stage, column, rate, rate_of(itself[column], samples, len(agree)))
    if trial.policy.of(stage).expectations:
        yield from user_expectations(trial, stage, answers[0], name).events
    compared = sum(matrix.size for matrix in agree.values())
    yield Evaluated(name, stage, compared)


def agreement(
    answers: Sequence[pd.DataFrame],
    recorded: Sequence[pd.DataFrame],
    key: tuple[str, ...],
    tolerances: Mapping[str, Allowed],
    *,
    itself: bool = False,
) -> dict[str, Agreeing]:
    """Return for each column, of each answer and each row of the first recorded one, whether it agrees.

    Args:
        answers: frames of the same rows.
        recorded: the accepted answers.
        key: the columns that name a row.
        tolerances: by column.
        itself: ``answers`` are the recorded ones, and each is compared with the others.

    Returns:
        By column, booleans of shape (answers, rows). A row that an answer lacks does not agree, unless a recorded
        answer lacks it too.
    """
    rows = key_text(recorded[0], key)
    rows = rows.append([key_text(a, key) for a in answers]).unique()
    columns = [str(c) for c in recorded[0].columns if c not in key]
    found = {c: np.zeros((len(answers), len(rows)), dtype=bool) for c in columns}
    for n, accepted in enumerate(recorded):
        there = key_text(accepted, key)
        for t, answer in enumerate(answers):
            if itself and t == n:
                continue
            own = key_text(answer, key)
            neither = ~rows.isin(there) & ~rows.isin(own)
            both = rows.isin(there) & rows.isin(own)
            expected = _in_order(accepted, there, rows[both], key)
            actual = _in_order(answer, own, rows[both], key)
            parity = compare(
                expected, actual, key=_ROW, worst=len(expected), distributions=False,
                tolerances={c: x for c, x in tolerances.items() if c in expected.columns},
            )  # fmt: skip
            for c in parity.columns:
                same = np.ones(len(expected), dtype=bool) if c.dtype_ok else np.zeros(len(expected), dtype=bool)
                same[[int(k) for k in c.worst_keys]] = False
                found[c.column][t, both] |= same
            for name in columns:
                found[name][t, neither] = True
    return found


def _judged(name: str, stage: str, column: str, rate: Rate, itself: Rate) -> Iterator[Event]:
    low, high = rate.bounds
    wanted = share(rate.samples.at_least)
    observed = (
        f"Column '{column}' agrees with a recorded answer in {part_of(rate.agree, rate.of, 'answers')}; between "
        f"{share(low)} and {share(high)} at a confidence of {share(rate.samples.confidence)}"
    )
    if rate.decision == "pass":
        return
    if itself.decision == "fail":
        yield NotEvaluated(
            name, stage,
            f"The recorded answers of column '{column}' agree with each other in "
            f"{part_of(itself.agree, itself.of, 'answers')} only, and {wanted} is required: no version could pass. Set "
            "a tolerance for the column, a lower at_least, or capture more answers with a higher n",
        )  # fmt: skip
    elif rate.decision == "fail":
        yield Finding(
            name, stage, f"{observed}. At least {wanted} is required.", column=column, cause="agreement",
            advice=f"Compare what '{stage}' answers now with the recorded answers: its model, prompt, temperature, and "
            "what it draws from. If the change is intended, capture the reference again.",
            evidence={"agree": rate.agree, "rows": rate.of, "low": low, "high": high,
                      "at_least": rate.samples.at_least, "confidence": rate.samples.confidence},
        )  # fmt: skip
    else:
        tell = f"About {rate.needed:,} answers would tell" if rate.needed else "No practicable number of answers tells"
        yield NotEvaluated(
            name, stage,
            f"{observed}. At least {wanted} is required, which these answers neither show nor exclude. {tell}: raise n "
            f"of Samples(n={rate.samples.n}), or validate with more requests",
        )  # fmt: skip


def _asked(trial: Trial, stage: str, samples: Samples) -> tuple[list[pd.DataFrame], str]:
    """Return the input of each call, and what it leaves out: the same whole requests each time."""
    given = trial.input_of(stage)
    calls = min(samples.n, trial.pipeline.stage(stage).calls or samples.n)
    if not _keyed(trial, given):
        return [trial.input_of(stage) for _ in range(calls)], ""
    text = key_text(given, trial.pipeline.key)
    unique = text.unique()
    rng = np.random.default_rng([trial.seed, crc32(f"{stage} samples".encode())])
    chosen = unique[np.sort(rng.permutation(len(unique))[:REQUESTS])]
    part = given[text.isin(chosen)].reset_index(drop=True)
    left_out = f" ({part_of(len(chosen), len(unique), 'requests')})" if len(chosen) < len(unique) else ""
    return [part.copy() for _ in range(calls)], left_out


def _keyed(trial: Trial, frame: pd.DataFrame) -> bool:
    return all(c in frame.columns for c in trial.pipeline.key_of())


def _of_requests(frame: pd.DataFrame, key: str | tuple[str, ...], requests: set[str] | None) -> pd.DataFrame:
    return frame if requests is None else frame[key_text(frame, key).isin(requests)].reset_index(drop=True)


def _in_order(frame: pd.DataFrame, keys: pd.Index, rows: pd.Index, key: tuple[str, ...]) -> pd.DataFrame:
    part = frame.iloc[keys.get_indexer(rows)].reset_index(drop=True).drop(columns=list(key))
    part.insert(0, _ROW, [str(n) for n in range(len(part))])
    return part
