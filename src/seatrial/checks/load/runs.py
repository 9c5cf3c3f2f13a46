"""A started service and the load runs that are sent to it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import urlsplit

import numpy as np

from seatrial.checks.load.streams import with_token_times, words
from seatrial.checks.serving.expected import Expected, expected
from seatrial.checks.serving.messages import messages_for, origin_of
from seatrial.checks.serving.refused import NotStarted
from seatrial.checks.serving.service import address_of, serve, there
from seatrial.checks.serving.target import target_of
from seatrial.errors import AnswerError
from seatrial.loadgen.affinity import UNRESTRICTED, Cores, pinned_to
from seatrial.loadgen.client import offer
from seatrial.loadgen.results import LoadRun
from seatrial.loadgen.schedule import Profile, Schedule, constant, poisson
from seatrial.loadgen.workers import offer_by
from seatrial.loadgen.workers.cluster import Connect, connected
from seatrial.pipeline import HttpRequest
from seatrial.pipeline.access import Access
from seatrial.policy.load import Load, Slo
from seatrial.process.running import Running
from seatrial.targets.elsewhere import Elsewhere
from seatrial.targets.messages import Response
from seatrial.trial import Trial

ONCE = Schedule(np.zeros(1), 1e-3)


@dataclass(frozen=True)
class LoadSession:
    """One started service and the load that is sent to it.

    Attributes:
        url: where the requests go, without a path.
        running: the service.
        expected: the requests and their recorded answers.
        requests: the same requests, as the service's target writes them.
        slo: the objective.
        load: how much load is offered.
        seed: of the schedules and of the choice of requests.
        until: the ``time.monotonic()`` moment at which the budget ends.
        cores: the cores of the generator and of the service.
        key_texts: what the answer to each request contains: its key, as the service writes it; empty where it writes
            none. Answers without it are returned beside the samples.
        access: further headers, and TLS.
        allow_hosts: those, besides this machine, that load is sent to.
        ease_seconds: how long the readiness path takes before the load.
        simpler: the requests without what some services refuse; None where there is nothing.
        connect: how the Dask cluster that sends the load is reached, where there is one.
    """

    url: str
    running: Running | NotStarted
    expected: Expected
    requests: Sequence[HttpRequest]
    slo: Slo
    load: Load
    seed: int
    until: float = math.inf
    cores: Cores = UNRESTRICTED
    key_texts: Sequence[bytes] = ()
    access: Access = field(default_factory=Access)
    allow_hosts: Sequence[str] = ()
    ease_seconds: float = 0.0
    simpler: Sequence[HttpRequest] | None = None
    connect: Connect = connected

    @property
    def seen(self) -> int | None:
        """The process that was started and below which the service runs; None where it runs elsewhere."""
        return self.running.pid if isinstance(self.running, Running) and not self.running.elsewhere else None

    @property
    def timeout_seconds(self) -> float:
        """When a response is given up. One within the limit is no lost one, however short the time-out is set."""
        return max(self.load.timeout_seconds, self.slo.limit_seconds)

    def run(
        self, number: int, requests: int, rate: float, *, samples: int = 0, flat: bool = False
    ) -> tuple[LoadRun, np.ndarray]:
        """Send one run and return it with the row of the reference that each request was made of.

        Arrivals are Poisson. The highest rate of the declared profile becomes ``rate``; without a profile, or where
        ``flat`` is true, the rate is constant.

        Args:
            number: makes the run's seed its own.
            requests: how many; a profile may need more, see :func:`shape`.
            rate: requests a second.
            samples: how many answers are returned for the comparison.
            flat: whether to ignore the profile.
        """
        profile, requests = (constant(rate, requests / rate), requests) if flat else shape(self.load, rate, requests)
        rng = np.random.default_rng([self.seed, number])
        rows = np.resize(rng.permutation(len(self.requests)), requests)
        sampled = rng.choice(requests, min(samples, requests), replace=False)
        with pinned_to(self.cores.generator):
            finished = offer_by(
                min(self.load.workers, requests),
                self.url,
                poisson(profile, int(rng.integers(2**31)), requests=requests),
                self.requests,
                cluster=self.load.cluster,
                connect=self.connect,
                order=rows.tolist(),
                access=self.access,
                timeout_seconds=self.timeout_seconds,
                connections=self.load.connections,
                keep=range(requests) if self.slo.streamed else frozenset(sampled.tolist()),
                timed=self.slo.streamed,
                expect=self.key_texts,
                allow_hosts=self.allow_hosts,
            )
        if self.slo.streamed:
            finished = with_token_times(finished, self._recorded_words[rows], frozenset(sampled.tolist()))
        return finished, rows

    @cached_property
    def _recorded_words(self) -> np.ndarray:
        return np.array([words(row) for row in self.expected.frame.to_dict(orient="records")], dtype=np.int64)

    def ask(self) -> Response:
        """Send the first request alone and return what came back.

        Raises:
            TargetError: nothing listens.
            AnswerError: no whole response came in time.
        """
        run = offer(
            self.url, ONCE, self.requests[:1], access=self.access, allow_hosts=self.allow_hosts, connections=1,
            keep=[0], timeout_seconds=max(30.0, self.timeout_seconds),
        )  # fmt: skip
        if not run.answers:
            [how] = run.counts()
            raise AnswerError(f"One request alone to {self.url}{self.requests[0].path or ''} got no answer: {how}.")
        answer = run.answers[0]
        return Response(answer.status, answer.headers, answer.body, float(run.done[0] - run.scheduled[0]))

    def affords(self, requests: int, rate: float) -> bool:
        """Whether a run of so many requests still fits in the budget."""
        seconds = shape(self.load, rate, requests)[0].seconds
        return time.monotonic() + seconds + self.timeout_seconds <= self.until


def session_of(
    trial: Trial, running: Running | NotStarted, slo: Slo, load: Load, until: float = math.inf,
    cores: Cores = UNRESTRICTED,
) -> LoadSession:  # fmt: skip
    """Return a session on a started service: requests as its target sends its own, or JSON to the objective's path.

    Raises:
        UsageError: the service's requests cannot be sent by the load generator.
    """
    known = expected(trial)
    messages = messages_for(trial, _where(running), known, slo.path, "[slo]", streamed=slo.streamed)
    known = replace(known, read=messages.read)
    session = LoadSession(
        messages.origin or running.url, running, known, messages.requests, slo, load, trial.seed, until, cores,
        connect=trial.connect or connected,
        simpler=messages.simpler,
    )  # fmt: skip
    if not isinstance(running, NotStarted):
        return session
    return replace(session, access=running.elsewhere.access, allow_hosts=[urlsplit(session.url).hostname or ""])


def url_of(trial: Trial, running: Running | NotStarted, slo: Slo) -> str:
    """Return where requests to another start of a session's service go, without a path."""
    if slo.path is not None:
        return running.url
    return origin_of(target_of(trial.pipeline, _where(running), hooks=trial.replayer))


def _where(running: Running | NotStarted) -> Running | Elsewhere:
    return running.elsewhere if isinstance(running, NotStarted) else running


def start_service(trial: Trial, model_path: str | None, cores: Cores) -> Running | NotStarted:
    """Start the pipeline's service with a model, on its cores, unless it runs already; use it in a ``with`` block."""
    if address_of(trial):
        return NotStarted(there(trial))
    with pinned_to(cores.service):
        return serve(trial, model_path=model_path)


def shape(load: Load, rate: float, requests: int) -> tuple[Profile, int]:
    """Return how the rate of one run changes, ``rate`` at its highest, and the number of its requests.

    A run with a declared profile is a whole number of repetitions, with at least ``requests`` requests, so that every
    run contains the peak.
    """
    if not load.profile:
        return constant(rate, requests / rate), requests
    turn = Profile(tuple((float(at), float(high)) for at, high in load.profile)).scaled(rate)
    turns = math.ceil(requests / turn.expected - 1e-9)
    return turn.repeated(turns), max(requests, round(turns * turn.expected))
