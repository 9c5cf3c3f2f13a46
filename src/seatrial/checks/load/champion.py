"""This version and the promoted one side by side: both services up, asked in turn, run against run."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count

from seatrial.checks.load.runs import Loaded, shape, started
from seatrial.errors import TargetError
from seatrial.events import Event, Finding, Measurement, NotEvaluated
from seatrial.loadgen.comparison import MIN_PAIRS, compare_runs, interleaved_order
from seatrial.loadgen.estimates import quantile
from seatrial.loadgen.statistics import required_requests
from seatrial.loadgen.validity import invalid_reasons
from seatrial.pipeline import SERVICE
from seatrial.trial import Trial

MISSES = 2  # that one run shows the percentile with, where its size is not declared
CAUSE = "slower-than-champion"
ALPHA = 0.05


def side_by_side(name: str, loaded: Loaded, trial: Trial) -> Iterator[Event]:
    """Start the promoted version's service too and yield how much slower this one is, with its confidence.

    Everything is fixed before the first request: the order of each pair, the size of a run, and as many of the
    declared pairs as the budget holds.
    """
    load = loaded.load
    assert load.margin is not None
    service = trial.pipeline.service
    assert service is not None
    if not any("{model.path}" in text for text in (*service.command, *service.env.values())):
        yield NotEvaluated(
            name, SERVICE, "the service is not given '{model.path}', so that of the promoted version is the same"
        )
        return
    rule = {"percentile": loaded.slo.percentile, "confidence": loaded.slo.confidence}
    requests = load.pair_requests or required_requests(MISSES, **rule)
    one = shape(load, loaded.slo.rate, requests)[0].seconds
    pairs = max(0, min(load.pairs, math.floor((loaded.until - time.monotonic() - 2 * one) / (2 * one))))
    if pairs < MIN_PAIRS:
        yield NotEvaluated(
            name, SERVICE,
            f"not enough runs to tell whether it is slower than the promoted version: the budget holds {pairs} pairs, "
            f"{one:,.0f} s a run, {MIN_PAIRS} are needed. Raise budget_seconds, or say fewer [load] pair_requests",
        )  # fmt: skip
        return
    try:
        with ExitStack() as stack:
            running = stack.enter_context(started(trial, trial.champion_path, loaded.cores))
            path = loaded.url.removeprefix(loaded.running.url)
            champion = replace(loaded, url=running.url + path, running=running)
            yield from _compared(name, champion, loaded, pairs, requests, trial)
    except TargetError as error:
        yield NotEvaluated(name, SERVICE, f"the promoted version's service could not be asked beside it: {error}")


def _compared(
    name: str, champion: Loaded, challenger: Loaded, pairs: int, requests: int, trial: Trial
) -> Iterator[Event]:
    sides, slo, margin = {"champion": champion, "challenger": challenger}, challenger.slo, challenger.load.margin
    assert margin is not None
    number = count(10_000)
    for n, each in enumerate(sides.values()):  # once each without counting: caches, pools, compiled code
        trial.on_progress(n, 2 * pairs + 2, "warm-up of the promoted version and this one")
        each.run(next(number), requests, slo.rate)
    figures: dict[str, list[float]] = {"champion": [], "challenger": []}
    worthless = 0
    for n, turn in enumerate(interleaved_order(pairs, challenger.seed)):
        pair: dict[str, float] = {}
        late = False
        for which in turn:
            trial.on_progress(2 + 2 * n + len(pair), 2 * pairs + 2, f"{which}, pair {n + 1} of {pairs}")
            run, _ = sides[which].run(next(number), requests, slo.rate)
            pair[which] = quantile(run.latencies, slo.percentile)
            late |= bool(invalid_reasons(run, slo.limit_seconds))
        worthless += late
        if not late:
            for side, figure in pair.items():
                figures[side].append(figure)
    found = compare_runs(figures["champion"], figures["challenger"], margin=margin, alpha=ALPHA)
    yield Measurement(name, SERVICE, "pairs compared", found.pairs, "pairs")
    for label, value in (("", found.ratio), (" lower bound", found.low), (" upper bound", found.high)):
        if math.isfinite(value):
            yield Measurement(name, SERVICE, f"time over the promoted version's{label}", value)
    said = f"p{slo.percentile * 100:g} at {slo.rate:g} requests/s"
    if found.conclusion == "regression":
        yield Finding(
            name, SERVICE,
            f"This version is slower than the promoted one: of {said}, {found.reason} (each bound at {1 - ALPHA:.0%}, "
            f"{found.pairs} interleaved pairs).",
            cause=CAUSE, advice="Profile one request of both: what does this version do that the other does not?",
            evidence={"rows": 2 * found.pairs * requests, "pairs": found.pairs, "seed": challenger.seed},
        )  # fmt: skip
    elif found.conclusion != "no regression":
        void_ = f"; {worthless} pairs were void, the generator was late" if worthless else ""
        yield NotEvaluated(
            name, SERVICE,
            f"not enough runs to tell whether it is slower than the promoted version in {said}: {found.reason}{void_}",
        )  # fmt: skip
