"""Compare sampled answers of a load run with the recorded ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seatrial.checks.load.asked import others_finding, own_key
from seatrial.checks.serving.expected import Expected
from seatrial.events import Finding
from seatrial.events.local import Pair, Rows
from seatrial.formatting import part_of, share
from seatrial.io import frame_json
from seatrial.loadgen.estimates import exceeds_share
from seatrial.loadgen.results import LoadRun
from seatrial.pipeline import SERVICE, key_columns
from seatrial.policy.load import Slo

MOST_ODD = 1_000  # answers beside the samples that are compared because their key is not found as it is written


@dataclass(frozen=True)
class SampledAnswers:
    """The sampled answers of one run.

    Attributes:
        compared: how many were compared with the recorded ones.
        degraded: how many are flagged as degraded; they were not compared.
        findings: what is wrong with the answers.
    """

    compared: int
    degraded: int
    findings: Sequence[Finding]


def compare_samples(
    name: str, expected: Expected, run: LoadRun, rows: np.ndarray, slo: Slo, *, every_key: bool = False
) -> SampledAnswers:
    """Compare the sampled answers of a run with the recorded ones, and those that do not contain their request's key.

    An answer that is flagged as degraded is expected to differ: like a late answer it is a miss, of which the
    objective allows a share.

    Args:
        name: the name of the check that reports.
        expected: the requests and their recorded answers.
        run: the finished run.
        rows: the row of the reference that each request was made of.
        slo: the objective.
        every_key: the key was looked for in every answer of the run, not in the samples alone.
    """
    good = [a for a in run.answers if 200 <= a.status < 300]
    places = [int(rows[a.index]) for a in good]
    objects, reason = expected.answered(good, places)
    label = expected.trial.policy.golden.degraded_field
    told = [(a, each, row) for a, each, row in zip(good, objects, places, strict=True) if each is not None]
    others = [(each, row) for _, each, row in told if not own_key(expected, each, row)]
    read = [(each, row) for a, each, row in told if a.sampled and own_key(expected, each, row)]
    odd = [(each, row) for a, each, row in told if not a.sampled and own_key(expected, each, row)]
    pairs = [(each, row) for each, row in read if each.get(label) is not True or _degraded(expected, label, row)]
    degraded, findings = len(read) - len(pairs), []
    pairs += [(each, row) for each, row in odd[:MOST_ODD] if each.get(label) is not True]
    if others:
        looked_at = int(run.good.sum()) if every_key else len(told)
        findings.append(others_finding(name, expected, others, looked_at, every=every_key))
    if reason:
        unread = [a for a, each in zip(good, objects, strict=True) if each is None]
        every = not all(a.sampled for a in unread)  # it was found for want of its key, which was looked for in all
        looked_at = int(run.good.sum()) if every else sum(a.sampled for a in good)
        unreadable, what = len(unread), "answers" if every else "sampled answers"
        findings.append(
            Finding(
                name, SERVICE,
                f"Under load, {part_of(unreadable, looked_at, what)} could not be read. {reason}",
                cause="no-answer", advice="Send one of these requests by hand and read the service's log.",
                evidence={"rows": looked_at, "missing": unreadable},
            )
        )  # fmt: skip
    if exceeds_share(degraded, len(read), 1 - slo.percentile):
        findings.append(
            Finding(
                name, SERVICE,
                f"Under load, {part_of(degraded, len(read), 'sampled answers')} were degraded; the objective allows "
                f"{share(1 - slo.percentile)}.",
                column=label, cause="degraded-under-load",
                advice="Look for a dependency that does not keep up: its pool, its time-out, and its own load.",
                evidence={"rows": len(read), "degraded": degraded},
            )
        )  # fmt: skip
    if pairs:
        findings += _differences(name, expected, pairs)
    return SampledAnswers(len(pairs), degraded, findings)


def _differences(name: str, expected: Expected, pairs: Sequence[tuple[dict[str, object], int]]) -> list[Finding]:
    """Return a finding for each column that differs from the recorded answers, the key among them where it is null."""
    names = key_columns(expected.trial.pipeline.key)
    nulls = {name: sum(name in each and each[name] is None for each, _ in pairs) for name in names}
    answers = [
        expected.named({n: v for n, v in each.items() if n not in names or v is not None}, row) for each, row in pairs
    ]
    parity = expected.compare(answers, [row for _, row in pairs])
    wrong = {name: count for name, count in nulls.items() if count}
    wrong |= {c.column: c.mismatches + c.null_flips for c in parity.columns if not c.ok}
    wrong |= dict.fromkeys(parity.missing_columns, len(pairs))
    findings = []
    for column, count in wrong.items():
        worst = next((c.worst_keys for c in parity.columns if c.column == column), ())
        expected.trial.local.keep(Rows(name, SERVICE, column, "under load", _rows(expected, pairs, column, worst)))
        findings.append(
            Finding(
                name, SERVICE,
                f"Under load, column '{column}' differs from the recorded answers in "
                f"{part_of(count, len(pairs), 'sampled answers')}.",
                column=column, cause="load-changes-answers",
                advice="Look for state that requests share, such as buffers, caches and globals, or for a fallback "
                "that load triggers.",
                evidence={"rows": len(pairs), "mismatches": count, "keys": [str(k) for k in worst]},
            )
        )  # fmt: skip
    return findings


def _rows(
    expected: Expected, pairs: Sequence[tuple[dict[str, object], int]], column: str, worst: Sequence[str]
) -> tuple[Pair, ...]:
    """Return the recorded value of each row beside the first answer that differs from it."""
    rows = {}
    for answer, row in pairs:
        if (key := expected.keys[row]) not in rows and key in {name.partition(" #")[0] for name in worst}:
            recorded = frame_json.rows(expected.frame.iloc[[row]])[0].get(column)
            if (now := answer.get(column)) != recorded:
                rows[key] = Pair(key, frame_json.as_text(recorded), frame_json.as_text(now))
    return tuple(rows.values())


def _degraded(expected: Expected, label: str, row: int) -> bool:
    """Whether the recorded answer is flagged as degraded."""
    value = expected.frame[label].iloc[row] if label in expected.frame else False
    return bool(pd.notna(value) and value)
