"""Small things to test an extension with: a pipeline, a reference, a trial, and verdicts of every outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seatrial.events import Case, Evaluated, Event, Finding, Measurement, NotEvaluated, Outcome, Subject, Verdict, total
from seatrial.pipeline import Pipeline
from seatrial.reference.capture import capture
from seatrial.reference.snapshot import Reference
from seatrial.trial import Trial

ROWS = 60
KINDS = ("standard", "express", "pickup")


def sample_requests(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Return requests as they arrive: ``id`` (text, unique), ``amount`` (float64), ``kind`` (text).

    Example:
        >>> sample_requests(2).columns.tolist()
        ['id', 'amount', 'kind']
    """
    draws = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": pd.array([f"r{n:04d}" for n in range(rows)], dtype="string"),
            "amount": np.round(draws.lognormal(3, 1, rows), 2),
            "kind": pd.array(draws.choice(KINDS, rows), dtype="string"),
        }
    )


def sample_pipeline(*, skewed: bool = False) -> Pipeline:
    """Return a path of three stages: raw, features, response. ``skewed`` doubles a feature, as careless serving would.

    Example:
        >>> sample_pipeline().stages
        ('raw', 'features', 'response')
    """
    factor = 2.0 if skewed else 1.0

    def features(frame: pd.DataFrame) -> pd.DataFrame:
        logs = np.log1p(frame["amount"]) * factor
        return frame[["id"]].assign(log_amount=logs, express=frame["kind"] == "express")

    def respond(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[["id"]].assign(score=(frame["log_amount"] / (1 + frame["log_amount"])).round(6))

    return Pipeline("sample", key="id", raw=lambda frame: frame, features=features, response=respond)


def sample_reference(rows: int = ROWS, seed: int = 0) -> Reference:
    """Return what the sound path gave on :func:`sample_requests`."""
    return capture(sample_pipeline(), sample_requests(rows, seed), seed=seed)


def sample_trial(*, skewed: bool = False, rows: int = ROWS) -> Trial:
    """Return a trial of the sample path against its reference; with ``skewed`` the path has training-serving skew.

    Example:
        >>> sample_trial().isolated("response").columns.tolist()
        ['id', 'score']
    """
    return Trial(sample_pipeline(skewed=skewed), sample_reference(rows))


def sample_events(outcome: Outcome, text: str = "") -> list[Event]:
    """Return the events of a run with that outcome; ``text`` stands wherever a model's author can write."""
    case = ("golden", "features")
    events: list[Event] = [Measurement(*case, "share of rows that differ", 0.25, column=text or "log_amount")]
    if outcome is Outcome.FAIL:
        events.append(
            Finding(
                *case, f"15 of 60 rows differ from the reference. {text}".strip(), column=text or "log_amount",
                cause="unit-factor", advice="Compute the feature as training did.", evidence={"rows": 60, "differ": 15},
            )
        )  # fmt: skip
    if outcome in (Outcome.INCONCLUSIVE, Outcome.ERROR):
        why = f"The service did not start. {text}".strip()
        return [*events, NotEvaluated(*case, why, crashed=outcome is Outcome.ERROR)]
    return [*events, Evaluated(*case, compared=60, seconds=0.5)]


def sample_verdict(outcome: Outcome = Outcome.PASS, text: str = "") -> Verdict:
    """Return a verdict of that outcome.

    Example:
        >>> sample_verdict(Outcome.FAIL).first_failing_stage
        'features'
    """
    return total(
        sample_events(outcome, text),
        subject=Subject(text or "sample", "1", "registry", 1_700_000_000_000, "sha256:" + "0" * 64),
        path=("raw", "features", "response"),
        planned=[Case("golden", "features")],
        seconds=1.5,
        reference_digest="sha256:" + "1" * 64,
        policy_digest="sha256:" + "2" * 64,
    )
