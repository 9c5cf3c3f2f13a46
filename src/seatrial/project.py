"""A seatrial project: the directory with ``[tool.seatrial]``, its pipeline, its policy, its local state."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial import plugins
from seatrial.errors import ProjectError, unknown

if TYPE_CHECKING:
    from seatrial.pipeline import Pipeline
    from seatrial.policy.policy import Policy

TEXTS = ("pipeline", "expectations", "flows", "state", "registry")
SETTINGS = (*TEXTS, "models", "environment", "isolation")

# Whoever starts seatrial may have set any of these; what they set stands.
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


@dataclass(frozen=True)
class Limits:
    """The ``[tool.seatrial.isolation]`` of a project. Memory and processes are counted over all that was
    started, which needs Linux.

    Attributes:
        load_seconds: for reading the pipeline and the policy, and again for loading the models.
        question_seconds: for one question, such as a whole load test.
        memory_mb: resident memory in MiB; pages that two processes share count twice.
        processes: how many at a time, the services on trial and what they start included.
        file_mb: the largest file that may be written, in MiB.
        log_mb: how much of what is printed is kept, in MiB.
    """

    load_seconds: float = 300
    question_seconds: float = 1800
    memory_mb: int = 8192
    processes: int = 128
    file_mb: int = 4096
    log_mb: int = 16

    @classmethod
    def read(cls, settings: Any, where: str) -> Limits:
        """Return the limits a project sets; ProjectError names a setting that is misspelt or no positive number."""
        if not isinstance(settings, Mapping):
            raise ProjectError(f"{where}: 'isolation' is {type(settings).__name__}; it is a table of limits.")
        known = [f.name for f in fields(cls)]
        for name, value in settings.items():
            if name not in known:
                raise ProjectError(f"{where}: {unknown('Limit', name, known)}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise ProjectError(f"{where}: '{name}' is {value!r}; it is a number above 0.")
            if not name.endswith("_seconds") and value != int(value):
                raise ProjectError(f"{where}: '{name}' is {value!r}; it is a whole number.")
        return cls(**{n: v if n.endswith("_seconds") else int(v) for n, v in settings.items()})


@dataclass(frozen=True)
class Project:
    """Where things are, and how a model is kept apart. Every path is absolute.

    ``models`` are patterns of the registered models that are this project's, such as ``payments-*``; ``environment``
    names the variables that the process which loads a model may see, beside those of any program; ``registry`` is the
    scheme of the registry that 'seatrial reconcile' watches.
    """

    root: Path
    pipeline_file: Path
    pipeline_name: str
    expectations: Path
    flows: Path
    state: Path
    models: tuple[str, ...] = ("*",)
    environment: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    registry: str = "models"

    @classmethod
    def find(cls, directory: str | Path = ".") -> Project:
        """Return the project at ``directory`` or above it; ProjectError says what is missing or misspelt."""
        start = Path(directory).resolve()
        for root in (start, *start.parents):
            settings = _settings(root / "pyproject.toml")
            if settings is not None:
                return cls._read(root, settings)
        raise ProjectError(
            f"There is no seatrial project at {start} or above it: no pyproject.toml has a [tool.seatrial] table. "
            "Make one with 'seatrial init DIR', or name its directory with --project."
        )

    @classmethod
    def _read(cls, root: Path, settings: dict[str, object]) -> Project:
        where = f"{root / 'pyproject.toml'}, [tool.seatrial]"
        for name, value in settings.items():
            if name not in SETTINGS:
                raise ProjectError(f"{where}: {unknown('Setting', name, SETTINGS)}")
            if name in TEXTS and not isinstance(value, str):
                raise ProjectError(f"{where}: '{name}' is {type(value).__name__}; it is text.")
        file, _, name = str(settings.get("pipeline", "")).partition(":")
        if not file or not name:
            raise ProjectError(f"{where}: 'pipeline' is needed, as \"path/to/file.py:name\" from the project's root.")
        return cls(
            root=root,
            pipeline_file=root / file,
            pipeline_name=name,
            expectations=root / str(settings.get("expectations", "expectations")),
            flows=root / str(settings.get("flows", "flows")),
            state=root / str(settings.get("state", ".seatrial")),
            models=_patterns(settings.get("models", ["*"]), where),
            environment=_names(settings.get("environment", []), where),
            limits=Limits.read(settings.get("isolation", {}), where),
            registry=_registry(settings.get("registry", "models"), where),
        )

    def pipeline(self) -> Pipeline:
        """Load the pipeline; ProjectError gives the file and line that stop it."""
        from seatrial.io.loading import load_file
        from seatrial.pipeline import Pipeline

        module = load_file(self.pipeline_file, ProjectError)
        found = getattr(module, self.pipeline_name, None)
        if isinstance(found, Pipeline):
            found.source = (self.pipeline_file, self.pipeline_name)
            return found
        there = [n for n, v in vars(module).items() if isinstance(v, Pipeline)]
        if found is None:
            raise ProjectError(f"{self.pipeline_file}: {unknown('Pipeline', self.pipeline_name, there)}")
        raise ProjectError(
            f"{self.pipeline_file}: '{self.pipeline_name}' is a {type(found).__name__}, not a seatrial.Pipeline. "
            f"Pipelines there: {', '.join(there) or 'none'}."
        )

    def policy(self, pipeline: Pipeline) -> Policy:
        """Read the policy; PolicyError names the file that cannot be used."""
        from seatrial.policy.policy import Policy

        return Policy.load(self.expectations, pipeline)

    def activate(self) -> None:
        """Point MLflow and Prefect at the project's own state unless the environment says otherwise, and quieten them.

        Must run before either is imported: both read the environment once.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        if "MLFLOW_TRACKING_URI" not in os.environ:
            os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{self.state / 'mlflow.db'}"
            os.environ.setdefault("_MLFLOW_SERVER_ARTIFACT_ROOT", str(self.state / "artifacts"))
        if "PREFECT_API_URL" not in os.environ:
            os.environ.setdefault("PREFECT_HOME", str(self.state / "prefect"))


def _patterns(given: object, where: str) -> tuple[str, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(p, str) and p for p in given):
        raise ProjectError(f"{where}: 'models' is a list of patterns of registered models, such as [\"payments-*\"].")
    return tuple(given)


def _registry(given: object, where: str) -> str:
    known = plugins.names("registries")
    if given not in known:
        raise ProjectError(f"{where}: {unknown('registry =', str(given), known)}")
    return str(given)


def _names(given: object, where: str) -> tuple[str, ...]:
    """Return the names of environment variables a model may see; our own secrets are never among them."""
    if not isinstance(given, list) or not all(isinstance(n, str) and n.isidentifier() for n in given):
        raise ProjectError(f"{where}: 'environment' is a list of variables' names, such as [\"PAYMENTS_STORE_URL\"].")
    if ours := [n for n in given if n.startswith("SEATRIAL_")]:
        raise ProjectError(f"{where}: 'environment' names {ours[0]}, which is seatrial's own: a model never sees it.")
    return tuple(given)


def _settings(path: Path) -> dict[str, object] | None:
    if not path.is_file():
        return None
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} is not TOML: {error}.") from error
    settings = tool.get("seatrial") if isinstance(tool, dict) else None
    return settings if isinstance(settings, dict) else None
