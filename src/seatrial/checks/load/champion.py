"""Compare this version with the champion side by side: both services run, and load runs alternate between them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace

from seatrial.checks.load.runs import LoadSession, shape, start_service, url_of
from seatrial.errors import TargetError
from seatrial.events import Event, Finding, Measurement, NotEvaluated
from seatrial.formatting import plural, seconds, share
from seatrial.loadgen.comparison import (
    MIN_PAIR_REQUESTS,
    MIN_PAIRS,
    PAIR_REQUESTS,
    Comparison,
    compare_runs,
    figure,
    interleaved_order,
)
from seatrial.loadgen.validity import invalid_reasons
from seatrial.pipeline import SERVICE
from seatrial.trial import Trial

CAUSE = "slower-than-champion"
ALPHA = 0.05
WARMUP_SHARE = 0.25  # of one run, sent to each service before its runs count


def compare_with_champion(name: str, session: LoadSession, trial: Trial) -> Iterator[Event]:
    """Start the champion's service too, and yield how much slower this version is, with its confidence.

    Everything is fixed before the first request: the order of each pair, the size of a run, and as many of the
    declared pairs as the budget holds. Where the size of a run is not declared, it is what the budget holds for all
    pairs, at most 1,200.
    """
    load = session.load
    assert load.margin is not None
    service = trial.pipeline.service
    assert service is not None
    if not any("{model.path}" in text for text in (*service.command, *service.env.values())):
        yield NotEvaluated(
            name, SERVICE,
            "The comparison with the champion was not evaluated: the service does not get '{model.path}', so both "
            "versions are the same service. Write {model.path} in the command or the env of Service(...).",
        )  # fmt: skip
        return
    seconds_left = session.until - time.monotonic()
    requests = load.pair_requests or _affordable(load.pairs, session.slo.rate, 0.9 * seconds_left)
    one = shape(load, session.slo.rate, requests)[0].seconds
    pairs = max(0, min(load.pairs, math.floor(seconds_left / (2 * one) - WARMUP_SHARE)))
    if pairs < MIN_PAIRS:
        needed = 2 * (MIN_PAIRS + WARMUP_SHARE) * one
        yield NotEvaluated(
            name, SERVICE,
            "There are not enough runs to decide whether this version is slower than the champion: the time budget "
            f"holds {plural(pairs, 'pair')} with {seconds(one)} per run; {MIN_PAIRS} are needed, which take "
            f"{seconds(needed)}. Raise budget_seconds, or set fewer pair_requests in [load] of service.toml.",
        )  # fmt: skip
        return
    try:
        with start_service(trial, trial.champion_path, session.cores) as running:
            champion = replace(session, url=url_of(trial, running, session.slo), running=running)
            yield from _compared(name, champion, session, pairs, requests, trial)
    except TargetError as error:
        yield NotEvaluated(name, SERVICE, f"The champion's service could not be loaded for the comparison. {error}")


def _affordable(pairs: int, rate: float, seconds_left: float) -> int:
    """Return how many requests a run may have so that all pairs fit in the time, or as many pairs as are needed."""
    for count in (pairs, MIN_PAIRS):
        requests = math.floor(rate * seconds_left / (2 * (count + WARMUP_SHARE)))
        if requests >= MIN_PAIR_REQUESTS:
            break
    return min(PAIR_REQUESTS, max(MIN_PAIR_REQUESTS, requests))


def _compared(
    name: str, champion: LoadSession, challenger: LoadSession, pairs: int, requests: int, trial: Trial
) -> Iterator[Event]:
    sides, slo, margin = {"champion": champion, "challenger": challenger}, challenger.slo, challenger.load.margin
    assert margin is not None
    for n, each in enumerate(sides.values()):  # once each without counting: caches, pools, compiled code
        trial.on_progress(n, 2 * pairs + 2, "warm-up of the champion and this version")
        each.run(9_999, max(10, round(WARMUP_SHARE * requests)), slo.rate, flat=True)
    figures: dict[str, list[float]] = {"champion": [], "challenger": []}
    invalid_pairs = 0
    for n, turn in enumerate(interleaved_order(pairs, challenger.seed)):
        pair: dict[str, float] = {}
        invalid = False
        for which in turn:  # both get the same arrivals and payloads
            trial.on_progress(2 + 2 * n + len(pair), 2 * pairs + 2, f"{which}, pair {n + 1} of {pairs}")
            run, _ = sides[which].run(10_000 + n, requests, slo.rate)
            pair[which] = figure(run.latencies, 1 - slo.percentile)
            invalid |= bool(invalid_reasons(run, slo.limit_seconds))
        invalid_pairs += invalid
        if not invalid:
            for side, value in pair.items():
                figures[side].append(value)
    found = compare_runs(figures["champion"], figures["challenger"], margin=margin, alpha=ALPHA)
    yield Measurement(name, SERVICE, "pairs compared", found.pairs, "pairs")
    for label, value in (("", found.ratio), (" lower bound", found.low), (" upper bound", found.high)):
        if math.isfinite(value):
            yield Measurement(name, SERVICE, f"latency relative to the champion{label}", value)
    yield from _result(name, challenger, found, requests, invalid_pairs)


def _result(
    name: str, challenger: LoadSession, found: Comparison, requests: int, invalid_pairs: int
) -> Iterator[Event]:
    slo = challenger.slo
    compared = f"the geometric mean of the latencies at {slo.rate:,g} requests/s"
    if found.conclusion == "regression":
        yield Finding(
            name, SERVICE,
            f"This version is slower than the champion. For {compared}, {found.reason} (each bound at "
            f"{share(1 - ALPHA)}, {plural(found.pairs, 'interleaved pair')}).",
            cause=CAUSE, advice="Profile one request of both versions and compare what they do.",
            evidence={"rows": 2 * found.pairs * requests, "pairs": found.pairs, "seed": challenger.seed},
        )  # fmt: skip
    elif found.conclusion != "no regression":
        late = (
            f" Because the generator was late, {plural(invalid_pairs, 'pair')} could not be used."
            if invalid_pairs
            else ""
        )
        yield NotEvaluated(
            name, SERVICE,
            f"There are not enough runs to decide whether this version is slower than the champion. For {compared}, "
            f"{found.reason}.{late} Raise pairs or budget_seconds in [load] of service.toml.",
        )  # fmt: skip
