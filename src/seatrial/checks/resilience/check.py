"""What does the loss of a dependency cost? Each fault of the matrix, under load, each criterion judged by itself.

Asked of every dependency that is reached over TCP and whose ``[dependencies.<name>]`` in service.toml says
``timeout_ms``. A service of its own is started with the dependency's address (``{store.url}``) led through a proxy. A
fault that did not fire shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from seatrial.checks.base import Check
from seatrial.checks.resilience.experiment import Experiment, fallback_of, matrix
from seatrial.checks.serving.budget import deadline
from seatrial.checks.serving.expected import expected
from seatrial.checks.serving.matrix import places
from seatrial.checks.serving.service import serve
from seatrial.errors import AnswerError, SeatrialError, TargetError
from seatrial.events import Evaluated, Event, Finding, NotEvaluated
from seatrial.faults.proxy.dependency import DependencyProxy
from seatrial.trial import Trial

NAME = "resilience"


def run(trial: Trial, dependency: str | None) -> Iterator[Event]:
    """Break one dependency in every way of its matrix and yield what does not hold."""
    assert dependency is not None
    assert trial.pipeline.service is not None
    loss, of = trial.policy.loss(dependency), trial.pipeline.dependencies[dependency]
    path = loss.path or trial.pipeline.service.predict
    if not path.startswith("/"):
        yield NotEvaluated(NAME, dependency, f"load is offered over HTTP to a path, not to '{path}'")
        return
    try:
        ground = fallback_of(trial, dependency, expected(trial))
    except SeatrialError as error:
        yield NotEvaluated(NAME, dependency, f"the declared fallback cannot be computed: {error}", crashed=True)
        return
    asked = list(places(trial))
    left = len(asked) - asked.index(dependency)  # what all may take is shared by those that are still to be asked
    end = deadline(trial, loss.budget_seconds, share=1 / left)
    try:
        with (
            DependencyProxy(of.url, seed=trial.seed) as between,
            serve(trial.pipeline, model_path=trial.model_path, urls={dependency: between.through}) as running,
        ):
            url = running.url + path
            at = Experiment(NAME, dependency, between, running, url, ground, trial.policy.slo, trial.seed, end)
            yield from matrix(at, trial.on_progress)
    except AnswerError as error:
        advice = "Start it by hand with the same command."
        yield Finding(NAME, dependency, str(error), cause="service-broke", advice=advice)
        yield Evaluated(NAME, dependency, compared=1)
    except TargetError as error:
        yield NotEvaluated(NAME, dependency, str(error))


check = Check(NAME, run, places, order=80)
