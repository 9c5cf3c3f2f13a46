"""The policy: everything under ``expectations/``, found by stage name, with one digest over all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from seatrial import plugins
from seatrial.errors import PolicyError, unknown
from seatrial.io.bundle import directory_digest
from seatrial.io.loading import load_file
from seatrial.pipeline import Pipeline
from seatrial.policy.consumers import FOLDER, Pinned, load_pinned
from seatrial.policy.service import (
    Contract,
    FailurePolicy,
    Golden,
    Load,
    Mutation,
    Slo,
    Stress,
    _promotion,
    check_settings,
)
from seatrial.policy.settings import _known, _table, _toml, read
from seatrial.policy.stages import StagePolicy, _stage_policy

SECTIONS = (
    "promotion",
    "dependencies",
    "golden",
    "contract",
    "slo",
    "load",
    "stress",
    "exam",
    "checks",
)  # of service.toml


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
    def exam(self) -> Mutation:
        """What an exam must reach."""
        return Mutation(**self.service.get("exam", {}))

    def loss(self, dependency: str) -> FailurePolicy:
        """Return what the loss of a dependency may cost."""
        return FailurePolicy(**self.service.get("dependencies", {}).get(dependency, {}))

    @property
    def live(self) -> list[str]:
        """The dependencies that are asked again in every validation."""
        return [name for name, of in self.service.get("dependencies", {}).items() if of.get("live")]

    def settings_of(self, check: str) -> Mapping[str, Any]:
        """Return ``[checks.<name>]``, the settings of a check of another package; that check reads them strictly."""
        settings: Mapping[str, Any] = self.service.get("checks", {}).get(check, {})
        return settings

    def of(self, stage: str) -> StagePolicy:
        """Return the policy of a stage; one without a file gets the defaults."""
        return self.stages.get(stage, StagePolicy())


def policy_digest(directory: Path) -> str:
    """Return the digest of all that a policy's directory says, without reading it."""
    return directory_digest(directory, without="__pycache__")


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
        read(FailurePolicy, f"{path}, [dependencies.{name}]", _table(path, name, settings))
    of_checks = _table(path, "checks", service.get("checks", {}))
    _known(path, "[checks]: check", of_checks, plugins.names("checks"))
    for name, settings in of_checks.items():
        _table(path, f"checks.{name}", settings)
    for section, kind in (("slo", Slo), ("load", Load), ("stress", Stress), ("exam", Mutation)):
        if section in service:
            read(kind, f"{path}, [{section}]", _table(path, section, service[section]))
