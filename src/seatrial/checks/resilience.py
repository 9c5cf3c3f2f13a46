"""What does the loss of a dependency cost? Each fault of the matrix, under load, each criterion judged by itself.

Asked of every dependency that is reached over TCP and whose ``[dependencies.<name>]`` in service.toml says
``timeout_ms``. A service of its own is started with the dependency's address (``{store.url}``) led through a proxy. A
fault that did not fire shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seatrial.checks._budget import until
from seatrial.checks._load_answers import expected
from seatrial.checks._resilience_bench import Bench, fallback_of, matrix, usual_seconds
from seatrial.checks._resilience_rows import Between, over_tcp, rows_of
from seatrial.errors import AnswerError, SeatrialError, TargetError
from seatrial.events import Event, Finding, Judged, Unjudged
from seatrial.targets.live import can_serve, serve
from seatrial.trial import Check, Trial

NAME = "resilience"


def ask(trial: Trial, dependency: str | None) -> Iterator[Event]:
    """Break one dependency in every way of its matrix and yield what does not hold."""
    assert dependency is not None
    assert trial.pipeline.service is not None
    loss, of = trial.policy.loss(dependency), trial.pipeline.dependencies[dependency]
    path = trial.pipeline.service.predict
    if not path.startswith("/"):
        yield Unjudged(NAME, dependency, f"load is offered over HTTP to a path, not to '{path}'")
        return
    try:
        ground = fallback_of(trial, dependency, expected(trial))
    except SeatrialError as error:
        yield Unjudged(NAME, dependency, f"the declared fallback cannot be computed: {error}", crashed=True)
        return
    asked = list(places(trial))
    left = len(asked) - asked.index(dependency)  # what all may take is shared by those that are still to be asked
    end = until(trial, loss.budget_seconds, share=1 / left)
    try:
        with (
            Between(of.url, seed=trial.seed) as between,
            serve(trial.pipeline, model_path=trial.model_path, urls={dependency: between.through}) as running,
        ):
            url = running.url + path
            at = Bench(NAME, dependency, between, running, url, ground, trial.policy.slo, trial.seed, end)
            yield from matrix(at, trial.told)
    except AnswerError as error:
        advice = "Start it by hand with the same command."
        yield Finding(NAME, dependency, str(error), cause="service-broke", advice=advice)
        yield Judged(NAME, dependency, compared=1)
    except TargetError as error:
        yield Unjudged(NAME, dependency, str(error))


def places(trial: Trial) -> Sequence[str]:
    """Return the dependencies that are asked about."""
    return [name for name in trial.pipeline.dependencies if not why_not(trial, name)]


def seconds(trial: Trial, dependency: str) -> float:
    """Return about how long a dependency's matrix takes, its own budget at most."""
    loss, url = trial.policy.loss(dependency), trial.pipeline.dependencies[dependency].url
    return min(loss.budget_seconds, usual_seconds(loss, len(rows_of(loss, url))))


def why_not(trial: Trial, dependency: str) -> str:
    """Return why a dependency is not broken in this trial, or the empty string."""
    url = trial.pipeline.dependencies[dependency].url
    if not can_serve(trial):
        return "the pipeline has no service that can be started here"
    if not over_tcp(url):
        return f"'{dependency}' is not reached over TCP ({url.partition(':')[0]}): there is no wire to put a fault on"
    if trial.policy.loss(dependency).timeout_ms is None:
        return f"[dependencies.{dependency}] of service.toml does not say timeout_ms"
    return ""


check = Check(NAME, ask, places)
