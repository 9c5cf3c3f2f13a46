"""Keep requests to the service and its answers in the local evidence of a trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urljoin

import numpy as np
from numpy.typing import ArrayLike

from seatrial.checks.serving.comparison import ComparedAnswers
from seatrial.checks.serving.service import address_of
from seatrial.errors import TargetError
from seatrial.events.local import DIFFERS, Exchange
from seatrial.loadgen.results import LoadRun
from seatrial.parity.keys import BETWEEN
from seatrial.pipeline import SERVICE, HttpRequest
from seatrial.targets.messages import Asked, Response
from seatrial.trial import Trial

STATUS_SAMPLES = 20  # failing answers of a load run that are looked at


def keep_exchange(
    trial: Trial,
    check: str,
    cause: str,
    result: Response | TargetError | None,
    *,
    place: str = SERVICE,
    column: str | None = None,
    keys: Sequence[str] = (),
    how: str = "",
    asked: Asked | None = None,
) -> None:
    """Keep one request and what became of it.

    Args:
        trial: whose local evidence it is.
        check: that reports it.
        cause: of its finding.
        result: the answer, or why there is none.
        place: where the finding belongs.
        column: of the finding.
        keys: of the rows asked for, as findings name them.
        how: how it was sent.
        asked: the request, where ``result`` does not have it.
    """
    if not trial.local or result is None:
        return
    asked = asked or (result.asked if isinstance(result.asked, Asked) else None)
    note = str(result) if isinstance(result, TargetError) else ""
    if asked is None:
        note = f"{note} This protocol does not show its requests.".strip()
    own = Exchange(
        check, place, cause, column, tuple(keys), how,
        method=asked.method if asked else "", url=asked.url if asked else "", body=asked.body if asked else b"",
        headers={**asked.headers, **_declared(trial)} if asked else {}, note=note,
    )  # fmt: skip
    if isinstance(result, Response):
        answer = {"status": result.status, "answer_headers": dict(result.headers), "answer": result.body}
        own = Exchange(**{**vars(own), **answer, "seconds": result.seconds})
    trial.local.keep(own)


def keep_differing(trial: Trial, check: str, mode: ComparedAnswers) -> None:
    """Keep, for each column that differs, the request whose answer differs most, and those that got no answer."""
    if not trial.local:
        return
    for failure in mode.received.failures.values():
        cause = f"status-{failure.status}" if failure.status else "no-answer"
        keys = [str(k) for k in failure.keys]
        keep_exchange(trial, check, cause, failure.first, keys=keys, how=mode.received.mode)
    for column in (c for c in mode.recorded.columns if c.differs):
        for names, result in mode.received.results:
            worst = [k for k in column.worst_keys if any(k == n or k.startswith(n + BETWEEN) for n in names)]
            if worst:
                how = mode.received.mode
                keep_exchange(trial, check, DIFFERS, result, column=column.column, keys=worst, how=how)
                break


def keep_failed(
    trial: Trial, check: str, run: LoadRun, requests: Sequence[HttpRequest], rows: ArrayLike, url: str,
    *, place: str = SERVICE, how: str = "under load",
) -> None:  # fmt: skip
    """Keep a sample of the requests of a load run that got no success.

    Args:
        trial: whose local evidence it is.
        check: that sent them.
        run: the finished run.
        requests: one for each row of the reference.
        rows: the row of each request of the run.
        url: where they went.
        place: where the finding belongs.
        how: how they were sent.
    """
    if not trial.local:
        return
    row_of = np.asarray(rows)
    for answer in [a for a in run.answers if not 200 <= a.status < 300][:STATUS_SAMPLES]:
        request = requests[int(row_of[answer.index])]
        seconds = float(run.done[answer.index] - run.sent[answer.index])
        result = Response(answer.status, answer.headers, answer.body, seconds, asked=_asked(request, url))
        keep_exchange(trial, check, "", result, place=place, how=f"{how}, status {answer.status}")


def _asked(request: HttpRequest, url: str) -> Asked:
    headers = {"content-type": request.content_type, **{n.lower(): v for n, v in request.headers.items()}}
    begin, sign, rest = url.partition("://")
    plain = begin + sign + rest.rpartition("@")[2]
    return Asked(request.method, urljoin(plain, request.path or ""), headers, request.body)


def _declared(trial: Trial) -> Mapping[str, str]:
    """Return the headers that every request carries, as they are declared: with ``{env:NAME}`` for a secret."""
    service = trial.pipeline.service
    if service is None or not address_of(trial):
        return {}
    return {name.lower(): value for name, value in service.headers.items()}
