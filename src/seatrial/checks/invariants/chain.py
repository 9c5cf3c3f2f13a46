"""The chain: consecutive stages asked in parts, request by request and in another order, each on the frame before it.

A stage may be right on the recorded frames and wrong on what the stage before returns for one request: a column whose
type follows from the rows of the batch, an object column that is null alone, an index that is left from a filter. Such
a hand-off breaks in small batches only, and no replay of one batch shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

import numpy as np
import pandas as pd

from seatrial.checks.invariants.alone import StageResult, of_stage
from seatrial.checks.invariants.calls import CHAIN, calls_of
from seatrial.checks.invariants.chain_run import Chain, ChainRun
from seatrial.checks.invariants.judge import problems, unrecorded
from seatrial.checks.invariants.reassembly import names_requests
from seatrial.checks.invariants.stage import cells
from seatrial.checks.invariants.variations import ORDER, PARTS, ROWS, Variation
from seatrial.errors import StageError
from seatrial.events import Evaluated, Event, Finding, NotEvaluated, Severity
from seatrial.formatting import plural
from seatrial.pipeline import Pipeline
from seatrial.trial import Trial


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


def of_chain(trial: Trial, name: str) -> Iterator[Event]:
    """Yield the hand-offs that break where the requests come in other batches, and an ``Evaluated`` for each chain."""
    for stages in segments(trial.pipeline):
        try:
            variations = _ChainVariations(Chain.of(trial, name, stages))
        except StageError as error:
            reason = f"the chain was not run in other batches, because stage '{error.stage}' failed in one batch"
            yield NotEvaluated(name, trial.pipeline.stages[-1], reason)
            continue
        yield from variations.events()


class _ChainVariations:
    """The variations of a chain."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.compared = chain, 0

    def events(self) -> Iterator[Event]:
        """Yield what every variation finds: a hand-off that breaks is told once."""
        chain, found, left_out = self.chain, dict[str | None, Finding](), list[str]()
        for variation in (PARTS, ROWS, *([] if chain.asked.sampled else [ORDER])):
            if not (most := self.most(variation)):
                left_out.append(variation.property.lower())
                continue
            event = self.vary(variation, most)
            if isinstance(event, Finding):
                found.setdefault(event.stage, event)
            elif event is not None:
                yield event
        yield from found.values()
        if left_out:
            dear = next(s for s in map(chain.trial.pipeline.stage, chain.stages) if s.calls is not None)
            yield Finding(
                chain.name, chain.stages[-1],
                f"Of the chain {' → '.join(chain.stages)}, {' and '.join(left_out)} was not evaluated: stage "
                f"'{dear.name}' allows {plural(dear.calls or 0, 'call')}.",
                severity=Severity.INFO, cause="calls", advice=f"Raise calls= of Stage '{dear.name}' to include that.",
            )  # fmt: skip
        yield Evaluated(chain.name, chain.stages[-1], self.compared)

    def most(self, variation: Variation) -> int:
        """Return how many batches a variation may have: the fewest that a stage of the chain allows."""
        chain = self.chain
        allowed = [calls_of(chain.trial.pipeline.stage(s), sampled=chain.asked.sampled) for s in chain.stages]
        most = min(calls.of(CHAIN + variation.cause) for calls in allowed)
        if not chain.dear:
            return most
        named = names_requests(chain.asked.rows, chain.probes[0].of_all, chain.probes[0].request_key)
        # One is kept for the comparison of a hand-off that breaks, and one where the keys have to be found out.
        most -= 1 + (variation is ROWS and not named)
        return 0 if variation is PARTS and most < 2 else max(most, 0)

    def vary(self, variation: Variation, most: int) -> Event | None:
        """Run the chain in a variation and return the first hand-off that breaks, or why it was not evaluated."""
        chain = self.chain
        rng = np.random.default_rng([chain.trial.seed, crc32(f"{CHAIN}{chain.stages} {variation.cause}".encode())])
        run = ChainRun(chain, variation, variation.batches(self._edges(), chain.asked.numbers, rng, most))
        for at, stage in enumerate(chain.stages):
            error = run.error(at)
            if error and unrecorded(error):
                if any(isinstance(e, NotEvaluated) for e in self._alone(stage).events):
                    return None  # it is said there
                why = f"{variation.property} of the chain was not evaluated: {error.__cause__}"
                return NotEvaluated(chain.name, chain.trial.pipeline.stages[-1], why)
            parity = None if error else run.parity(at)
            self.compared += cells(parity) if parity else 1
            if parity is None or problems(parity):
                return None if self._alone(stage).broken else run.finding(at, error, parity)
        return None

    def _alone(self, stage: str) -> StageResult:
        """Return what the stage's own variations found: its own fault is told there."""
        try:
            return of_stage(self.chain.trial, self.chain.name, stage)
        except StageError:
            return StageResult(None, broken=True)

    def _edges(self) -> pd.DataFrame:
        """Return the rows to look for edge cases in: of raw payloads, what the first stage makes of them."""
        asked, first = self.chain.asked, self.chain.probes[0]
        named = names_requests(asked.rows, first.of_all, first.request_key)
        return asked.rows if named or len(first.of_all) != len(asked.rows) else first.of_all
