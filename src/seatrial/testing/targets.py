"""What every target promises."""

from __future__ import annotations

import pandas as pd

from seatrial.errors import TargetError
from seatrial.io import frame_json
from seatrial.targets import connect
from seatrial.targets.messages import Response
from seatrial.targets.probes.base import Probe, Probeable
from seatrial.targets.protocol import Target
from seatrial.testing.registration import require

GARBAGE = b"\x00 not a request"


def target_conforms(
    url: str, requests: pd.DataFrame, *, key: str, nobody: str | None = None, seconds: float = 30.0
) -> None:
    """Hold a target to its protocol, at a server that runs: rows, keys and order kept, one row as in a batch, errors.

    Args:
        url: of the server, with the target's scheme; the target must be registered.
        requests: request rows that the server answers, two or more.
        key: the column that names a row.
        nobody: an address of the same target where nobody listens, to see that this is a TargetError.
        seconds: the deadline of one call.

    Raises:
        AssertionError: the first promise that is broken.

    Example:
        >>> target_conforms("rest+http://127.0.0.1:8000/score", sample_requests(), key="id")  # doctest: +SKIP
    """
    require(len(requests) > 1, "Give two requests or more: a batch of one shows nothing about order.")
    with connect(url, key=key, seconds=seconds) as target:
        require(isinstance(target, Target), f"{type(target).__name__} lacks a method of seatrial's Target.")
        _steps(target, requests, key)
        _sends(target, url)
        if isinstance(target, Probeable):
            _probes(target, requests)
    if nobody is not None:
        with connect(nobody, key=key, seconds=min(seconds, 5.0)) as away:
            try:
                away.step(requests)
            except TargetError:
                return
        raise AssertionError(f"{nobody} was answered, or raised no TargetError, where nobody listens.")


def _steps(target: Target, requests: pd.DataFrame, key: str) -> None:
    before = requests.copy(deep=True)
    answers = target.step(requests)
    require(isinstance(answers, pd.DataFrame), f"step returned a {type(answers).__name__}, not a frame.")
    pd.testing.assert_frame_equal(requests, before)
    require(len(answers) == len(requests), f"step answered {len(answers):,} rows to {len(requests):,} requests.")
    if key in requests.columns:
        require(key in answers.columns, f"The answers have no column '{key}': an answer stands beside its key.")
        same = [str(k) for k in answers[key]] == [str(k) for k in requests[key]]
        require(same, "The answers have other keys than the requests, or come in another order.")
    for n in (0, len(requests) - 1):
        alone = frame_json.rows(target.step(requests.iloc[[n]]))
        batched = frame_json.rows(answers.iloc[[n]])
        require(alone == batched, f"Request {n + 1} is answered otherwise alone than in a batch.")


def _sends(target: Target, url: str) -> None:
    try:
        response = target.send(GARBAGE)
    except TargetError as error:
        raise AssertionError(f"send raised where {url} refused a request: a refusal is a Response. {error}") from error
    require(isinstance(response, Response), f"send returned a {type(response).__name__}, not a Response.")
    require(all(name == name.lower() for name in response.headers), "Header names of a Response are in lower case.")
    require(response.seconds > 0, "A Response states how long it took.")


def _probes(target: Probeable, requests: pd.DataFrame) -> None:
    plan = target.probe_plan(requests)
    require(plan.valid, "probe_plan has no valid request to send.")
    require(plan.path, "probe_plan names no path.")
    assert isinstance(target, Target)
    response = target.send(plan.valid[0], path=plan.path)
    require(response.ok, f"Expected a success for the first valid request of probe_plan, got status {response.status}.")
    from seatrial.targets.probes.paths import learned

    probes = list(plan.probes(0, learned(plan.records[:1])))
    require(probes, "probe_plan yields no probe.")
    for probe in probes:
        require(isinstance(probe, Probe) and isinstance(probe.body, bytes), f"{probe!r:.80} is no Probe with bytes.")
