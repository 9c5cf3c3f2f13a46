"""A seatrial project: the directory with ``[tool.seatrial]``, its pipeline, its policy, its local state."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.errors import ProjectError

if TYPE_CHECKING:
    from seatrial.pipeline import Pipeline
    from seatrial.policy.policy import Policy
    from seatrial.policy.tool import Limits, LocalEvidenceSettings, RetentionSettings, ScaleSettings, ToolSettings

PYPROJECT = "pyproject.toml"
EXPECTATIONS = "expectations"
MLFLOW_STORE = "mlflow.db"  # MLflow's own name for it

# Whoever starts seatrial may have set any of these; what they set is kept.
QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "ALEMBIC_LOGGING_LEVEL": "ERROR",
    "GIT_PYTHON_REFRESH": "quiet",
}


MEBIBYTE = 2**20
MODEL_PYTHON = "model"  # the interpreter is that of the version's own environment


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name fits one of several patterns, which are those of a shell.

    Example:
        >>> matches("payments-eu", ["payments-*"])
        True
    """
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _defaults() -> ToolSettings:
    from seatrial.policy.tool import ToolSettings  # pydantic is slow to import

    return ToolSettings.model_construct()


@dataclass(frozen=True)
class Project:
    """Where things are, and how a model is kept apart. Every path is absolute.

    ``name`` is part of every name that the project has on a shared server. ``models`` are patterns of the registered
    models that are this project's, such as ``payments-*``; ``environment`` names the variables that the process which
    loads a model may see, beside those of any program; ``registry`` is the scheme of the registry that 'seatrial
    reconcile' watches; ``trackers`` names where its verdicts are logged beside that; ``code`` declares the files that
    make path and service; ``head_hours`` is how long a signed head counts. ``tracking_uri``, ``python``, ``command``,
    ``isolation``, ``readable``, ``engines``, ``cache``, ``local_evidence``, ``retention``, ``scale`` are as set there.
    """

    root: Path
    pipeline_file: Path
    pipeline_name: str
    expectations: Path
    flows: Path
    state: Path
    name: str = "project"
    models: tuple[str, ...] = ("*",)
    environment: tuple[str, ...] = ()
    limits: Limits = field(default_factory=lambda: _defaults().limits)
    python: str = ""
    command: tuple[str, ...] = ()
    isolation: str = "available"
    readable: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    registry: str = "models"
    trackers: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    head_hours: float = 24.0
    tracking_uri: str = ""
    cache: str = "validate"
    local_evidence: LocalEvidenceSettings = field(default_factory=lambda: _defaults().local_evidence)
    retention: RetentionSettings = field(default_factory=lambda: _defaults().retention)
    scale: ScaleSettings = field(default_factory=lambda: _defaults().scale)

    @classmethod
    def find(cls, directory: str | Path = ".") -> Project:
        """Return the project at ``directory`` or above it; ProjectError says what is missing or misspelt."""
        start = Path(directory).resolve()
        for root in (start, *start.parents):
            settings = _settings(root / PYPROJECT)
            if settings is not None:
                return cls._read(root, settings)
        raise ProjectError(
            f"There is no seatrial project at {start} or above it: no pyproject.toml has a [tool.seatrial] table. "
            "In an existing repository: 'seatrial init --here'. For a new one: 'seatrial init DIR'. For one elsewhere: "
            "--project DIR."
        )

    @classmethod
    def _read(cls, root: Path, settings: dict[str, object]) -> Project:
        from seatrial.policy.settings import validated
        from seatrial.policy.tool import ToolSettings

        found = validated(ToolSettings, settings, root / PYPROJECT, ProjectError, below=("tool", "seatrial"))
        file, _, name = found.pipeline.partition(":")
        return cls(
            root=root,
            name=found.name or _name_of(root),
            pipeline_file=root / file,
            pipeline_name=name,
            expectations=root / found.expectations,
            flows=root / found.flows,
            state=root / found.state,
            models=found.models,
            environment=found.environment,
            limits=found.limits,
            python=found.python,
            command=found.command,
            isolation=found.isolation,
            readable=tuple(map(os.path.expanduser, found.readable)),
            engines=found.engines,
            registry=found.registry,
            trackers=found.trackers,
            code=found.code,
            head_hours=found.head_hours,
            tracking_uri=found.tracking_uri,
            cache=found.cache,
            local_evidence=found.local_evidence,
            retention=found.retention,
            scale=found.scale,
        )

    def owns(self, model: str) -> bool:
        """Return whether a registered model is one of the project's."""
        return matches(model, self.models)

    def pipeline(self) -> Pipeline:
        """Load the pipeline; ProjectError gives the file and line that stop it."""
        from seatrial.worker.loading import load_pipeline

        return load_pipeline(self.pipeline_file, self.pipeline_name)

    def policy(self, pipeline: Pipeline) -> Policy:
        """Read the policy; PolicyError names the file that cannot be used.

        Without the default folder the policy is that of no files. A folder that the settings name must be there.
        """
        from seatrial.policy.policy import Policy

        return Policy.load(self.expectations, pipeline, optional=self.expectations == self.root / EXPECTATIONS)

    def model_store(self) -> tuple[str, Path | None]:
        """Return MLflow's tracking URI where the environment names none, and the folder of a local store's artifacts.

        It is the one that the settings name; else the store that MLflow itself made in the project's root, as a
        training script does; else one in the state directory. The artifacts of a server are its own: None.
        """
        beside = self.root / MLFLOW_STORE
        uri = self.tracking_uri
        if not uri and (self.state / MLFLOW_STORE).is_file():
            return f"sqlite:///{self.state / MLFLOW_STORE}", self.state / "artifacts"
        if not uri:
            found = beside.is_file()
            folder = self.root if found else self.state
            return f"sqlite:///{folder / MLFLOW_STORE}", folder / ("mlruns" if found else "artifacts")
        if uri.startswith("sqlite:///"):
            file = self.root / uri.removeprefix("sqlite:///")
            return f"sqlite:///{file}", file.parent / ("artifacts" if file.parent == self.state else "mlruns")
        return (uri, None) if "://" in uri or is_hosted(uri) else (str(self.root / uri), None)

    def activate(self) -> None:
        """Point MLflow and Prefect at the project's own state unless the environment says otherwise, and quieten them.

        Must run before either is imported: both read the environment once.
        """
        from seatrial.process.prefect_profile import adopt  # needs Python 3.11, and loading a project does not

        self.state.mkdir(parents=True, exist_ok=True)
        if not (ignored := self.state / ".gitignore").exists():
            ignored.write_text("*\n", encoding="utf-8")
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        if "MLFLOW_TRACKING_URI" not in os.environ:
            os.environ["MLFLOW_TRACKING_URI"], artifacts = self.model_store()
            if not self.tracking_uri:
                _own_stores.add(os.environ["MLFLOW_TRACKING_URI"])
            if artifacts is not None:
                os.environ.setdefault("_MLFLOW_SERVER_ARTIFACT_ROOT", str(artifacts))
        if not adopt():
            os.environ.setdefault("PREFECT_HOME", str(self.state / "prefect"))


_own_stores: set[str] = set()


def is_hosted(uri: str) -> bool:
    """Return whether an address of MLflow is of a server that others host: ``databricks``, an ARN, and the like."""
    return uri.partition(":")[0] in ("arn", "azureml", "databricks", "databricks-uc", "uc")


def is_own_store(address: str) -> bool:
    """Return whether MLflow's address is a project's own store, taken because the environment names none."""
    return address in _own_stores


def _name_of(root: Path) -> str:
    """Return what a project is called on shared servers: as pyproject.toml names it, else its folder.

    As in the names of packages, ``-``, ``_``, ``.``, spaces and capitals make no other name; whatever else cannot stand
    there leaves a digest, or two projects would be taken for one.
    """
    from seatrial.formatting import slug
    from seatrial.policy.settings import read_toml

    project = read_toml(root / PYPROJECT, ProjectError).get("project")
    named = project.get("name") if isinstance(project, dict) else None
    return slug(re.sub(r"[-_.\s]+", "-", str(named or root.name).lower()).strip("-")) or "project"


def _settings(path: Path) -> dict[str, object] | None:
    if not path.is_file():
        return None
    from seatrial.policy.settings import read_toml  # pydantic is slow to import, and not every command needs it

    tool = read_toml(path, ProjectError).get("tool")
    settings = tool.get("seatrial") if isinstance(tool, dict) else None
    return settings if isinstance(settings, dict) else None
