"""What service.toml declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from seatrial.errors import PolicyError, unknown
from seatrial.policy.settings import _known, _table, _toml


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
class FailurePolicy:
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
        faults: names of fault scenarios, as 'seatrial plugins' lists them; all that its address allows by default.
        path: where requests are sent over HTTP while it is broken; the service's ``predict`` by default.
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
    path: str | None = None
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


@dataclass(frozen=True)
class Golden:
    """How the live service is asked for its golden answers: ``[golden]`` in service.toml.

    Attributes:
        varying: fields of an answer that must vary (times, ids, latency); they are not compared.
        wide_integers: fields that may carry integers beyond 2^53 as JSON numbers; a reader of doubles loses digits.
        singles: how many requests are sent one by one where the service takes batches too; drawn with the seed.
        batch: requests in one batch.
        seconds: the deadline of one answer.
        degraded: the field that is true in an answer made without a dependency; such a request is asked again.
    """

    varying: Sequence[str] = ()
    wide_integers: Sequence[str] = ()
    singles: int = 200
    batch: int = 100
    seconds: float = 30.0
    degraded: str = "degraded"


@dataclass(frozen=True)
class Mutation:
    """What ``seatrial exam`` asks of the reference and this policy: ``[exam]`` in service.toml.

    Attributes:
        minimum: the share of seeded faults that must be killed, of those that change an answer.
    """

    minimum: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.minimum <= 1:
            said = f"'minimum' is {self.minimum:g}; it is a share of faults, above 0 and at most 1"
            raise PolicyError(f"[exam] of service.toml: {said}.")


@dataclass(frozen=True)
class Promotion:
    """``[promotion]`` in service.toml: the alias a pass moves, and whether one moved by hand is put back."""

    alias: str = ""
    restore: bool = False


def promotion(directory: Path) -> Promotion:
    """Read ``[promotion]`` alone, without the pipeline; PolicyError says what in it cannot be used."""
    path = directory / "service.toml"
    return _promotion(path, _toml(path))


def _promotion(path: Path, service: Mapping[str, Any]) -> Promotion:
    settings = _table(path, "promotion", service.get("promotion", {}))
    _known(path, "[promotion]: setting", settings, [f.name for f in fields(Promotion)])
    if not isinstance(settings.get("alias", ""), str):
        raise PolicyError(f"{path}, [promotion]: 'alias' is the name of a registry alias, such as \"champion\".")
    if not isinstance(settings.get("restore", False), bool):
        raise PolicyError(f"{path}, [promotion]: 'restore' is true or false.")
    return Promotion(**settings)


GENERATED = 100


WEIGHTS = ("error", "warning", "allow")


@dataclass(frozen=True)
class Contract:
    """How the live service's contract is judged.

    Attributes:
        coercion: what it weighs that a value of another type is accepted silently: ``"1"`` for 1, 1.5 for an integer.
        unknown_fields: what it weighs that a field nobody knows is accepted, a misspelt one among them.
        unknown_changes: what a change of the OpenAPI weighs of which it cannot be told whether it breaks.
        generated: requests that are generated from the OpenAPI; 0 for none. Left out, as many as ``GENERATED`` where
            schemathesis is installed; stated, they must be sent.
        generated_seconds: how long they may take altogether.
        seconds: the deadline of one answer.
    """

    coercion: str = "error"
    unknown_fields: str = "error"
    unknown_changes: str = "warning"
    generated: int | None = None
    generated_seconds: float = 20.0
    seconds: float = 10.0


def check_settings(path: Path, table: Any) -> None:
    """Raise PolicyError unless ``table`` is what [contract] may be."""
    if not isinstance(table, Mapping):
        raise PolicyError(f"{path}: 'contract' is a table, [contract].")
    known = [f.name for f in fields(Contract)]
    for name, value in table.items():
        if name not in known:
            raise PolicyError(f"{path}: {unknown('[contract]: setting', name, known)}")
        if name in ("coercion", "unknown_fields", "unknown_changes"):
            if value not in WEIGHTS:
                raise PolicyError(f"{path}, [contract]: '{name}' is one of {', '.join(WEIGHTS)}.")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise PolicyError(f"{path}, [contract]: '{name}' is a number, 0 or more.")
        elif name == "generated" and not isinstance(value, int):
            raise PolicyError(f"{path}, [contract]: '{name}' is a whole number of requests.")
        elif name != "generated" and value == 0:
            raise PolicyError(f"{path}, [contract]: '{name}' is a number of seconds above 0.")
