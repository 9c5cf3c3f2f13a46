"""The variations of every chain, each run once a trial, and the stages that they show to be right.

A chain asks all of its stages in one round trip. Where a stage gets in it what it got at training time, and answers the
same in parts, request by request and in another order, asking it alone in the same way can find nothing more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pandas as pd

from seatrial.checks.invariants.calls import CHAIN, calls_of
from seatrial.checks.invariants.chain_run import Chain, ChainRun
from seatrial.checks.invariants.judge import problems, unrecorded
from seatrial.checks.invariants.reassembly import names_requests, request_keys
from seatrial.checks.invariants.stage import cells
from seatrial.checks.invariants.variations import ORDER, PARTS, ROWS, Variation
from seatrial.errors import StageError
from seatrial.parity.result import Parity
from seatrial.pipeline import Pipeline
from seatrial.trial import Trial


@dataclass(frozen=True)
class Break:
    """The first stage of a chain that raises or answers otherwise in a variation.

    Attributes:
        run: the chain in that variation.
        at: the number of the stage in it.
        error: what it raised, where it did.
        parity: how its answers differ, where it did not.
    """

    run: ChainRun
    at: int
    error: StageError | None
    parity: Parity | None


@dataclass(frozen=True)
class Varied:
    """A chain in one variation.

    Attributes:
        variation: the variation.
        compared: cells.
        same: the stages whose answers are those in one batch, types of columns included.
        broken: the first that raises or answers otherwise.
        left_out: whether a stage of the chain is too dear for it; nothing was run then.
    """

    variation: Variation
    compared: int = 0
    same: frozenset[str] = frozenset()
    broken: Break | None = None
    left_out: bool = False


@dataclass(frozen=True)
class Chained:
    """A chain in all its variations.

    Attributes:
        stages: their names.
        chain: the chain; None where a stage raised on all requests in one batch.
        error: what it raised.
        varied: the chain in each variation.
    """

    stages: tuple[str, ...]
    chain: Chain | None
    error: StageError | None = None
    varied: tuple[Varied, ...] = ()


def segments(pipeline: Pipeline) -> list[tuple[str, ...]]:
    """Return the chains of two or more stages that must not depend on the batch.

    A stage that may depend on it by its declaration is left out, and so is every hand-off to it and from it.

    Example:
        >>> from seatrial import Stage
        >>> page = Stage(lambda frame: frame, batch_dependent="positions are within the page")
        >>> segments(Pipeline("p", key="id", a=lambda f: f, b=lambda f: f, c=page, d=lambda f: f))
        [('a', 'b')]
    """
    found: list[tuple[str, ...]] = [()]
    for stage in pipeline.stages:
        found = [*found, ()] if pipeline.stage(stage).batch_dependent else [*found[:-1], (*found[-1], stage)]
    return [stages for stages in found if len(stages) > 1]


def chained(trial: Trial, name: str) -> list[Chained]:
    """Run every chain in its variations, once a trial."""
    return trial.once(
        "invariants chained", lambda: [_of_segment(trial, name, stages) for stages in segments(trial.pipeline)]
    )


def settled(trial: Trial, name: str, stage: str) -> Collection[str]:
    """Return the causes of the variations in which a chain has shown that a stage answers the same.

    A chain shows it where the stage gets in it what training recorded. A stage that declares ``calls`` shares them
    between its probes, and is asked alone.
    """
    segment = next((s for s in segments(trial.pipeline) if stage in s), ())
    if not segment or any(trial.pipeline.stage(s).calls is not None for s in segment):
        return ()
    to_it = segment[: segment.index(stage) + 1]
    if any(trial.noise(s, "chained") for s in to_it) or not _as_recorded(trial, to_it[:-1]):
        return ()
    return [v.variation.cause for c in chained(trial, name) for v in c.varied if stage in v.same]


def _as_recorded(trial: Trial, stages: Sequence[str]) -> bool:
    """Whether the stages of a chain return in it what they did at training time."""
    try:
        return all(trial.parity(stage, "chained").ok for stage in stages)
    except StageError:
        return False


def _of_segment(trial: Trial, name: str, stages: tuple[str, ...]) -> Chained:
    try:
        chain = Chain.of(trial, name, stages)
    except StageError as error:
        return Chained(stages, None, error)
    variations = (PARTS, ROWS, *([] if chain.asked.sampled else [ORDER]))
    return Chained(stages, chain, varied=tuple(_vary(chain, variation) for variation in variations))


def _vary(chain: Chain, variation: Variation) -> Varied:
    """Run a chain in a variation and compare stage by stage, up to the first that raises or differs."""
    most = _most(chain, variation)
    if not most:
        return Varied(variation, left_out=True)
    rng = np.random.default_rng([chain.trial.seed, crc32(f"{CHAIN}{chain.stages} {variation.cause}".encode())])
    run = ChainRun(chain, variation, variation.batches(_edges(chain), chain.asked.numbers, rng, most))
    compared, same = 0, list[str]()
    for at, stage in enumerate(chain.stages):
        error = run.error(at)
        parity = None if error else run.parity(at)
        compared += cells(parity) if parity else not (error and unrecorded(error))
        if parity is None or problems(parity):
            return Varied(variation, compared, frozenset(same), Break(run, at, error, parity))
        if not run.retyped(at):
            same.append(stage)
    return Varied(variation, compared, frozenset(same))


def _most(chain: Chain, variation: Variation) -> int:
    """Return how many batches a variation may have: the fewest that a stage of the chain allows."""
    allowed = [calls_of(chain.trial.pipeline.stage(s), sampled=chain.asked.sampled) for s in chain.stages]
    most = min(calls.of(CHAIN + variation.cause) for calls in allowed)
    if not chain.dear:
        return most
    named = names_requests(chain.asked.rows, chain.probes[0].of_all, chain.probes[0].request_key)
    # One is kept for the comparison of a hand-off that breaks, and one where the keys have to be found out.
    most -= 1 + (variation is ROWS and not named)
    return 0 if variation is PARTS and most < 2 else max(most, 0)


def _edges(chain: Chain) -> pd.DataFrame:
    """Return the rows to look for edge cases in: what each stage gets, where it has a row a request in their order."""
    asked, key = chain.asked, chain.probes[0].request_key
    given = [asked.rows, *(probe.of_all for probe in chain.probes[:-1])]
    beside = [frame for frame in given if len(frame) == len(asked.rows)]
    keys = [request_keys(frame, key) for frame in beside[1:]]
    if keys and all(each.equals(keys[0]) for each in keys):
        return pd.concat([frame.reset_index(drop=True) for frame in beside], axis=1)
    return asked.rows
