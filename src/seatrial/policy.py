"""The policy: everything under ``expectations/``, found by stage name, with one digest over all of it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from seatrial.bundle import directory_digest
from seatrial.contract.pinned import FOLDER, Pinned, load_pinned
from seatrial.contract.settings import Contract, check_settings
from seatrial.errors import PolicyError, nearest, unknown
from seatrial.loading import load_file
from seatrial.metrics import metric
from seatrial.pipeline import Pipeline
from seatrial.reference import Reference
from seatrial.slo import Load, Loss, Slo, Stress, read
from seatrial.tolerance import Tolerance

SETTINGS = ("tolerances", "expectations", "quality", "show")  # of a stage's file
SECTIONS = ("promotion", "dependencies", "golden", "contract", "slo", "load", "stress", "exam")  # of service.toml


@dataclass(frozen=True)
class Quality:
    """What the predictions must be worth where the reference carries labels.

    Attributes:
        label: the label column, with 1 or true for the event.
        score: the column of the stage that holds the score.
        limits: metric name (see ``seatrial.metrics``) to its lowest (or for losses highest) acceptable value.
        slices: columns of any earlier stage; each value with enough rows is judged by itself.
        margin: how much worse than the promoted version still counts as not worse, stated beforehand: in the metric's
            own unit where higher is better, for losses a share of the promoted version's value.
        confidence: of the paired bootstrap's one-sided bound.
    """

    label: str
    score: str
    limits: Mapping[str, float]
    slices: Sequence[str] = ()
    margin: float = 0.01
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name in self.limits:
            metric(name)
        if not self.margin >= 0:
            raise PolicyError(f"Quality(margin={self.margin!r}): a margin is 0 or more.")
        if not 0.5 < self.confidence < 1:
            raise PolicyError(f"Quality(confidence={self.confidence!r}): a confidence lies between 0.5 and 1.")


@dataclass(frozen=True)
class StagePolicy:
    """What must hold of one stage's frame.

    Attributes:
        tolerances: column to how far it may stray from training.
        expectations: called with the reference, gives Great Expectations expectations for the real frame.
        quality: limits on what the predictions are worth.
        show: columns whose values may appear in reports; every other column shows keys and counts alone.
    """

    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    expectations: Callable[[Reference], Sequence[Any]] | None = None
    quality: Quality | None = None
    show: Sequence[str] = ()


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
class Exam:
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
class Policy:
    """What must hold, by stage, and the settings of ``service.toml``. An empty policy checks schema and parity."""

    stages: Mapping[str, StagePolicy] = field(default_factory=dict)
    service: Mapping[str, Any] = field(default_factory=dict)
    digest: str = "sha256:none"
    pinned: Pinned = field(default_factory=Pinned)

    @classmethod
    def load(cls, directory: str | Path, pipeline: Pipeline) -> Policy:
        """Read ``directory``; PolicyError names the file and what in it cannot be used."""
        root = Path(directory)
        if not root.is_dir():
            raise PolicyError(
                f"There is no policy at {root}. 'seatrial init' writes one, or name another with --project."
            )
        stages = {}
        for path in sorted(root.glob("*.py")):
            if path.stem not in pipeline.stages:
                raise PolicyError(f"{path} belongs to no stage. {unknown('Stage', path.stem, pipeline.stages)}")
            stages[path.stem] = _stage_policy(path, load_file(path, PolicyError))
        service = _toml(root / "service.toml")
        _check_service(root / "service.toml", service, pipeline)
        return cls(stages, service, policy_digest(root), load_pinned(root / FOLDER))

    @property
    def promote(self) -> str | None:
        """The alias that a pass moves to the version, besides ``validated``."""
        alias: str | None = self.service.get("promotion", {}).get("alias")
        return alias

    @property
    def golden(self) -> Golden:
        """How the live service is asked."""
        return Golden(**self.service.get("golden", {}))

    @property
    def contract(self) -> Contract:
        """How the service's contract is judged."""
        return Contract(**self.service.get("contract", {}))

    @property
    def slo(self) -> Slo | None:
        """What the service must hold under load, where it is declared."""
        return Slo(**self.service["slo"]) if "slo" in self.service else None

    @property
    def offered(self) -> Load:
        """How much load is offered."""
        return Load(**self.service.get("load", {}))

    @property
    def stress(self) -> Stress:
        """What load and resilience may take together."""
        return Stress(**self.service.get("stress", {}))

    @property
    def exam(self) -> Exam:
        """What an exam must reach."""
        return Exam(**self.service.get("exam", {}))

    def loss(self, dependency: str) -> Loss:
        """Return what the loss of a dependency may cost."""
        return Loss(**self.service.get("dependencies", {}).get(dependency, {}))

    @property
    def live(self) -> list[str]:
        """The dependencies that are asked again in every validation."""
        return [name for name, of in self.service.get("dependencies", {}).items() if of.get("live")]

    def of(self, stage: str) -> StagePolicy:
        """Return the policy of a stage; one without a file gets the defaults."""
        return self.stages.get(stage, StagePolicy())


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


def policy_digest(directory: Path) -> str:
    """Return the digest of all that a policy's directory says, without reading it."""
    return directory_digest(directory, without="__pycache__")


def _stage_policy(path: Path, module: ModuleType) -> StagePolicy:
    public = {n: v for n, v in vars(module).items() if not n.startswith("_")}
    found = {n: public[n] for n in SETTINGS if n in public}
    for name, value in public.items():
        if (
            name not in SETTINGS
            and getattr(value, "__module__", module.__name__) == module.__name__
            and nearest(name, SETTINGS)
        ):
            raise PolicyError(f"{path}: {unknown('Setting', name, SETTINGS)}")
    tolerances = found.get("tolerances", {})
    if not isinstance(tolerances, Mapping) or not all(isinstance(t, Tolerance) for t in tolerances.values()):
        raise PolicyError(f"{path}: 'tolerances' maps column names to seatrial.Tolerance(...).")
    if not callable(found.get("expectations", len)):
        raise PolicyError(f"{path}: 'expectations' is a function of the reference that returns a list of expectations.")
    show = found.get("show", ())
    if not isinstance(show, list | tuple | set | frozenset) or not all(isinstance(c, str) for c in show):
        raise PolicyError(f"{path}: 'show' is a list of column names.")
    if not isinstance(found.get("quality"), Quality | None):
        raise PolicyError(f"{path}: 'quality' is a seatrial.Quality(...).")
    return StagePolicy(**found)


def _toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path} is not TOML: {error}.") from error


def _check_service(path: Path, service: Mapping[str, Any], pipeline: Pipeline) -> None:
    _known(path, "Section", service, SECTIONS)
    _promotion(path, service)
    golden = _table(path, "golden", service.get("golden", {}))
    _known(path, "[golden]: setting", golden, [f.name for f in fields(Golden)])
    for name, value in golden.items():
        if name in ("varying", "wide_integers"):
            if not isinstance(value, list) or not all(isinstance(field, str) for field in value):
                raise PolicyError(f"{path}, [golden]: '{name}' is a list of field names, such as [\"answered_at\"].")
        elif name == "degraded":
            if not isinstance(value, str):
                raise PolicyError(f"{path}, [golden]: 'degraded' is the name of a field.")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise PolicyError(f"{path}, [golden]: '{name}' is a number above 0.")
        elif name != "seconds" and not isinstance(value, int):
            raise PolicyError(f"{path}, [golden]: '{name}' is a whole number.")
    check_settings(path, service.get("contract", {}))
    dependencies = _table(path, "dependencies", service.get("dependencies", {}))
    _known(path, "[dependencies]: dependency", dependencies, pipeline.dependencies)
    for name, settings in dependencies.items():
        read(Loss, f"{path}, [dependencies.{name}]", _table(path, name, settings))
    for section, kind in (("slo", Slo), ("load", Load), ("stress", Stress), ("exam", Exam)):
        if section in service:
            read(kind, f"{path}, [{section}]", _table(path, section, service[section]))


def _table(path: Path, name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PolicyError(f"{path}: '{name}' is a table, [{name}].")
    return value


def _known(path: Path, what: str, found: Iterable[str], known: Iterable[str]) -> None:
    allowed = list(known)
    for name in found:
        if name not in allowed:
            raise PolicyError(f"{path}: {unknown(what, name, allowed)}")
