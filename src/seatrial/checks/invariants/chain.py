"""The chain: consecutive stages asked in parts, request by request and in another order, each on the frame before it.

A stage may be right on the recorded frames and wrong on what the stage before returns for one request: a column whose
type follows from the rows of the batch, an object column that is null alone, an index that is left from a filter. Such
a hand-off breaks in small batches only, and no replay of one batch shows it.
"""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.checks.invariants.alone import StageResult, of_stage
from seatrial.checks.invariants.chain_run import Chain
from seatrial.checks.invariants.chained import Chained, Varied, chained
from seatrial.checks.invariants.judge import unrecorded
from seatrial.errors import StageError
from seatrial.events import Evaluated, Event, Finding, NotEvaluated, Severity
from seatrial.formatting import plural
from seatrial.trial import Trial


def of_chain(trial: Trial, name: str) -> Iterator[Event]:
    """Yield the hand-offs that break where the requests come in other batches, and an ``Evaluated`` for each chain."""
    for each in chained(trial, name):
        if each.chain is not None:
            yield from _events(each, each.chain)
        else:
            stage = each.error.stage if each.error else each.stages[0]
            reason = f"the chain was not run in other batches, because stage '{stage}' failed in one batch"
            yield NotEvaluated(name, trial.pipeline.stages[-1], reason)


def _events(result: Chained, chain: Chain) -> Iterator[Event]:
    """Yield what every variation of a chain finds: a hand-off that breaks is told once."""
    found, told = dict[str | None, Finding](), 0
    for varied in result.varied:
        event = _broken(chain, varied)
        if isinstance(event, Finding):
            found.setdefault(event.stage, event)
        elif event is not None:
            yield event
        told += varied.compared
    yield from found.values()
    if left_out := [v.variation.property.lower() for v in result.varied if v.left_out]:
        dear = next(s for s in map(chain.trial.pipeline.stage, chain.stages) if s.calls is not None)
        yield Finding(
            chain.name, chain.stages[-1],
            f"Of the chain {' → '.join(chain.stages)}, {' and '.join(left_out)} was not evaluated: stage "
            f"'{dear.name}' allows {plural(dear.calls or 0, 'call')}.",
            severity=Severity.INFO, cause="calls", advice=f"Raise calls= of Stage '{dear.name}' to include that.",
        )  # fmt: skip
    yield Evaluated(chain.name, chain.stages[-1], told)


def _broken(chain: Chain, varied: Varied) -> Event | None:
    """Return the hand-off that breaks in a variation, or why it was not evaluated."""
    if (first := varied.broken) is None:
        return None
    alone, error = _alone(chain, chain.stages[first.at]), first.error
    if error and unrecorded(error):
        if any(isinstance(e, NotEvaluated) for e in alone.events):
            return None  # it is said there
        why = f"{varied.variation.property} of the chain was not evaluated: {error.__cause__}"
        return NotEvaluated(chain.name, chain.trial.pipeline.stages[-1], why)
    return None if alone.broken else first.run.finding(first.at, error, first.parity)


def _alone(chain: Chain, stage: str) -> StageResult:
    """Return what the stage's own variations found: its own fault is told there."""
    try:
        return of_stage(chain.trial, chain.name, stage)
    except StageError:
        return StageResult(None, broken=True)
