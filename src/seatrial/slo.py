"""What the live service must hold under load, and what the loss of a dependency may cost: parts of service.toml."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, get_args, get_type_hints

from seatrial.errors import PolicyError, UsageError, unknown
from seatrial.load.schedule import Profile

ROWS = ("latency_within", "latency_beyond", "down", "timeout", "reset_peer", "limit_data", "slicer", "trickle")
ANSWER_ROWS = ("errors", "too_many_requests", "wrong_schema", "nulls", "missing_keys")
T = TypeVar("T")


@dataclass(frozen=True)
class Slo:
    """``[slo]``: the share ``percentile`` of answers comes within ``limit_ms``, at ``rate`` requests a second.

    Attributes:
        limit_ms: counted from when a request was due.
        rate: requests a second, Poisson, at the highest; half of the capacity or less.
        percentile: the share, such as 0.99.
        confidence: with which a pass is shown.
        path: that is asked; the service's ``predict`` by default.
    """

    limit_ms: float
    rate: float
    percentile: float = 0.99
    confidence: float = 0.99
    path: str | None = None

    @property
    def limit_seconds(self) -> float:
        """The limit in seconds."""
        return self.limit_ms / 1e3


@dataclass(frozen=True)
class Load:
    """``[load]``: how much is offered. All of it is fixed before the first request.

    Attributes:
        runs: independent runs, all of which must hold; by default what ``utilisation`` needs.
        requests: of one run; likewise.
        utilisation: the share of its capacity at which the service runs under the objective's rate, at most 0.8.
        profile: how the rate changes, as recorded: corners ``[seconds, requests a second]``, straight lines between
            them. Its shape counts: its highest rate becomes the objective's, and a run is whole turns of it.
        budget_seconds: that the whole check may take; what does not fit in it is not judged.
        workers: processes that share the schedule; one core each.
        own_core: keep the service that is started off as many cores as there are workers; the generator has those to
            itself. What the service shows is then what the cores that are left can do.
        connections: open at once.
        timeout_seconds: after which a request counts as lost.
        samples: answers a run that are compared with the recorded ones.
        margin: how much slower than the promoted version counts as not slower, such as 0.05; compared where it is said.
        pairs: runs of each of the two, interleaved; fewer where the budget holds no more.
        pair_requests: of one such run; by default the fewest that show the percentile with two misses.
        knee: whether to search for the highest rate that holds, with what is left of the budget.
    """

    runs: int | None = None
    requests: int | None = None
    utilisation: float = 0.5
    profile: Sequence[Sequence[float]] = ()
    budget_seconds: float = 600.0
    workers: int = 1
    own_core: bool = False
    connections: int = 128
    timeout_seconds: float = 10.0
    samples: int = 200
    margin: float | None = None
    pairs: int = 10
    pair_requests: int | None = None
    knee: bool = True


@dataclass(frozen=True)
class Stress:
    """``[stress]``: of load and resilience together.

    Attributes:
        budget_seconds: that both may take. What tells most comes first: the objective, then every dependency its
            share, and of what is left the promoted version and the knee. By default each takes its own budget.
    """

    budget_seconds: float | None = None


@dataclass(frozen=True)
class Loss:
    """``[dependencies.<name>]``: what the loss of a dependency may cost. Judged where ``timeout_ms`` is declared.

    Attributes:
        live: ask it again in every validation.
        timeout_ms: how long an answer may wait for it.
        deadline_ms: within which every answer comes while it is broken; three time-outs by default.
        heal_seconds: after the fault is gone, within which answers are whole again, under load.
        amplification: calls of it a request at most, in any second.
        connections: open to it at most; not judged where it is not declared.
        breaker: whether a lasting fault must be left alone: most answers no longer wait for it.
        label: the field of an answer that is true when it is degraded.
        reason: the field that then says why.
        faults: rows of the matrix; all that its address allows by default.
        bystanders: paths that do not use it and are read meanwhile, such as ``/health``.
        rate: requests a second, moderate.
        seconds: that each fault lasts.
        budget_seconds: that its whole matrix may take.
    """

    live: bool = False
    timeout_ms: float | None = None
    deadline_ms: float | None = None
    heal_seconds: float = 10.0
    amplification: float = 1.2
    connections: int | None = None
    breaker: bool = True
    label: str = "degraded"
    reason: str = "degraded_reason"
    faults: Sequence[str] = ()
    bystanders: Sequence[str] = ()
    rate: float = 10.0
    seconds: float = 5.0
    budget_seconds: float = 600.0

    @property
    def timeout(self) -> float:
        """The time-out in seconds."""
        return (self.timeout_ms or 0.0) / 1e3

    @property
    def deadline(self) -> float:
        """The deadline in seconds."""
        return (self.deadline_ms or 3 * (self.timeout_ms or 0.0)) / 1e3


def read(kind: type[T], where: str, table: Mapping[str, Any]) -> T:
    """Return a table of service.toml as ``kind``; PolicyError says which setting cannot be used, and why."""
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            raise PolicyError(f"{where}: {unknown('setting', name, list(known))}")
    if missing := [n for n, f in known.items() if f.default is MISSING and n not in table]:
        raise PolicyError(f"{where} does not say '{missing[0]}'.")
    hints = get_type_hints(kind)
    for name, value in table.items():
        if wrong := _wrong(name, value, hints[name]):
            raise PolicyError(f"{where}: '{name}' is {wrong}.")
    return kind(**table)


def _wrong(name: str, value: Any, hint: Any) -> str:
    """Return what a setting should be where the value is not that, or the empty string."""
    kinds = set(get_args(hint)) or {hint}
    if name == "profile":
        wrong = _wrong_profile(value)
    elif bool in kinds:
        wrong = "" if isinstance(value, bool) else "true or false"
    elif str in kinds and float not in kinds and not isinstance(hint, type(Sequence[str])):
        wrong = "" if isinstance(value, str) and value else "text"
    elif kinds & {int, float}:
        wrong = _wrong_number(name, value, whole=int in kinds)
    elif not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        wrong = "a list of texts"
    elif name == "faults" and (strange := [each for each in value if each not in (*ROWS, *ANSWER_ROWS)]):
        wrong = f"a list of faults. {unknown('Fault', strange[0], [*ROWS, *ANSWER_ROWS])}".rstrip(".")
    else:
        wrong = ""
    return wrong


def _wrong_profile(value: Any) -> str:
    try:
        Profile(tuple(tuple(corner) for corner in value))
    except UsageError as error:
        return f"no profile. {error}".rstrip(".")
    except (TypeError, ValueError):
        return "a list of corners, such as [[0, 5], [60, 20]]"
    return ""


def _wrong_number(name: str, value: Any, *, whole: bool) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        return "a number above 0"
    if whole and not isinstance(value, int):
        return "a whole number"
    if name in ("percentile", "confidence") and not value < 1:
        return "a share between 0 and 1, such as 0.99"
    return "at most 0.8: beyond that no number of runs helps" if name == "utilisation" and value > 0.8 else ""
