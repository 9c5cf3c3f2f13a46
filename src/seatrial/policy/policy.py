"""The policy: everything under ``expectations/``, found by stage name, with one digest over all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seatrial.errors import PolicyError, unknown
from seatrial.io.files import is_leftover
from seatrial.io.lean import SELDOM_USED, when_used
from seatrial.io.loading import load_file
from seatrial.pipeline import Pipeline
from seatrial.policy.consumers import FOLDER, Pinned, load_pinned
from seatrial.policy.digest import policy_digest
from seatrial.policy.failures import FailurePolicy
from seatrial.policy.graph import with_graph
from seatrial.policy.load import Load, Slo
from seatrial.policy.service import (
    FILE,
    Contract,
    Golden,
    Mutation,
    ServiceSettings,
    Stress,
    read_service,
)
from seatrial.policy.stages import StagePolicy, _stage_policy, check_tolerances
from seatrial.reference.snapshot import Reference


@dataclass(frozen=True)
class Policy:
    """What must hold, by stage, and the settings of ``service.toml``. An empty policy checks schema and parity.

    Example:
        >>> from seatrial.policy.service import service_settings
        >>> Policy(service=service_settings({"promotion": {"alias": "champion"}})).promote
        'champion'
    """

    stages: Mapping[str, StagePolicy] = field(default_factory=dict)
    service: ServiceSettings = field(default_factory=ServiceSettings)
    digest: str = "sha256:none"
    pinned: Pinned = field(default_factory=Pinned)

    @classmethod
    def load(cls, directory: str | Path, pipeline: Pipeline, *, optional: bool = False) -> Policy:
        """Read ``directory``; PolicyError names the file and what in it cannot be used.

        Where the directory is ``optional`` and not there, the policy is that of an empty one.
        """
        root = Path(directory)
        if not root.is_dir() and not (optional and not root.exists()):
            raise PolicyError(
                f"There is no policy at {root}. Create the folder, or correct 'expectations' of [tool.seatrial]; "
                "--project selects another project."
            )
        stages = {}
        for path in sorted(p for p in root.glob("*.py") if not is_leftover(p.relative_to(root))):
            if path.stem not in pipeline.stages:
                raise PolicyError(f"{path} belongs to no stage. {unknown('Stage', path.stem, pipeline.stages)}")
            with when_used(*SELDOM_USED):
                module = load_file(path, PolicyError)
            stages[path.stem] = _stage_policy(path, module)
        service = with_graph(read_service(root), root, pipeline.dependencies)
        for name in service.dependencies:
            if name not in pipeline.dependencies:
                raise PolicyError(f"{root / FILE} [dependencies]: {unknown('dependency', name, pipeline.dependencies)}")
        return cls(stages, service, policy_digest(root), load_pinned(root / FOLDER))

    def check_against(self, reference: Reference, pipeline: Pipeline) -> None:
        """Check that every declared tolerance can apply to the reference, before anything is judged.

        Raises:
            PolicyError: a tolerance for no column, for the key, or of a kind that cannot apply to its column.
        """
        check_tolerances(self.stages, reference, pipeline.key_of)

    @property
    def promote(self) -> str | None:
        """The alias that a pass moves to the version, besides ``validated``."""
        return self.service.promotion.alias or None

    @property
    def golden(self) -> Golden:
        """How the live service is compared with the recorded answers."""
        return self.service.golden

    @property
    def contract(self) -> Contract:
        """How the service's contract is evaluated."""
        return self.service.contract

    @property
    def slo(self) -> Slo | None:
        """The objective under load; None where none is declared."""
        return self.service.slo

    @property
    def offered(self) -> Load:
        """How much load is offered."""
        return self.service.load

    @property
    def stress(self) -> Stress:
        """What load and resilience may take together."""
        return self.service.stress

    @property
    def mutation(self) -> Mutation:
        """What a mutation test must reach."""
        return self.service.mutation

    def failure_policy(self, dependency: str) -> FailurePolicy:
        """Return what a failure of a dependency may cost."""
        return self.service.dependencies.get(dependency, FailurePolicy())

    @property
    def live(self) -> list[str]:
        """The dependencies that are queried again in every validation."""
        return [name for name, of in self.service.dependencies.items() if of.live]

    def settings_of(self, check: str) -> Mapping[str, Any]:
        """Return ``[checks.<name>]``, the settings of a check of another package; that check reads them strictly."""
        return self.service.checks.get(check, {})

    def of(self, stage: str) -> StagePolicy:
        """Return the policy of a stage; one without a file gets the defaults."""
        return self.stages.get(stage, StagePolicy())
