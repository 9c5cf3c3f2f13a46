"""What ``[tool.seatrial]`` of a project's pyproject.toml declares."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from seatrial.policy.refusals import refuse
from seatrial.policy.settings import List, Settings, setting
from seatrial.policy.values import Cluster, Registry, Text, Trackers, Variables
from seatrial.process.dask.addresses import LOCAL


class Limits(Settings):
    """Limits of the process that loads a model. On Linux, memory and process limits include child processes."""

    load_seconds: float = setting(
        300.0, gt=0, unit="s", says="Time limit to read pipeline and expectations, and again to load the models."
    )
    case_seconds: float = setting(1800.0, gt=0, unit="s", says="Time limit for one case, such as a whole load test.")
    memory_mb: int = setting(
        8192, ge=1, unit="MiB", says="Maximum resident memory. Memory shared by two processes counts twice."
    )
    processes: int = setting(128, ge=1, says="Maximum number of processes, including those of the services under test.")
    file_mb: int = setting(4096, ge=1, unit="MiB", says="Maximum size of a written file.")
    log_mb: int = setting(16, ge=1, unit="MiB", says="Maximum size of the stored output.")


class LocalEvidenceSettings(Settings):
    """How long what 'seatrial show' reads is kept: rows, requests, answers and tracebacks, in the state alone."""

    validations: int = setting(
        20, ge=0, says="Number of validations whose local evidence is kept; 0 keeps none, and deletes what is there."
    )
    days: float = setting(14.0, gt=0, unit="d", says="Time after which it is deleted.")
    total_mb: int = setting(200, ge=1, unit="MiB", says="Maximum size of all of it; the oldest is deleted first.")


class RetentionSettings(Settings):
    """What 'seatrial prune' leaves, which 'seatrial reconcile' runs once an hour; verdicts are never deleted.

    The results of versions in use stay, whatever these say: of each model the newest, and the newest that passed.
    """

    validations: int = setting(500, ge=1, says="Number of validations whose results are kept on this disk.")
    days: float = setting(
        90.0, gt=0, unit="d", says="Time after which results, downloaded models and built environments are deleted."
    )
    total_mb: int = setting(
        2048, ge=1, unit="MiB",
        says="Maximum size of results and downloaded models together; the oldest are deleted first.",
    )  # fmt: skip
    cache_mb: int = setting(
        256, ge=1, unit="MiB",
        says="Maximum size of the results that later runs use again; those not used for longest go first.",
    )  # fmt: skip
    environments_mb: int = setting(
        8192, ge=1, unit="MiB",
        says="Maximum size of the environments that were built for versions; those not used for longest go first.",
    )  # fmt: skip
    run_days: float = setting(
        14.0, gt=0, unit="d", says="Time after which the project's flow runs are deleted from the Prefect server."
    )


class ScaleSettings(Settings):
    """What works on the parts of tables that are compared by parts, since they need not fit in memory."""

    cluster: Cluster | None = setting(
        None, example="local",
        says="Address of the scheduler of a Dask cluster, such as tcp://10.0.0.5:8786, whose workers find project, "
        "references, models, tables and temporary files under the same paths as this machine; or 'local', for worker "
        "processes of this machine while they are needed. Requires seatrial[dask] here and on the workers. By default "
        "this process works on the parts.",
    )  # fmt: skip
    workers: int | None = setting(
        None, ge=1, example=4, says="Worker processes of the cluster 'local'; by default one for each CPU core."
    )

    @model_validator(mode="after")
    def _workers_are_here(self) -> ScaleSettings:
        if self.workers and self.cluster != LOCAL:
            refuse(
                (("workers",), f"'workers' is of the cluster '{LOCAL}': set cluster, or remove it."), value=self.workers
            )
        return self


class ToolSettings(Settings):
    """The table [tool.seatrial] of pyproject.toml: where the project's parts are, and how a model is isolated."""

    name: str = setting(
        "", pattern="^([a-z0-9]+(-[a-z0-9]+)*)?$", example="shop", allowed="lower-case letters, digits and hyphens",
        says="Name of the project, part of every name that it has on a shared server. By default that of [project], "
        "else of the folder.",
    )  # fmt: skip
    pipeline: str = setting(
        pattern="^[^:]+:.+$", example="path/to/file.py:name", allowed='"path/to/file.py:name"',
        says="File of the pipeline, relative to the project's root, and the name of the pipeline in it.",
    )  # fmt: skip
    expectations: Text = setting(
        "expectations", says="Directory of the expectations and settings, relative to the project's root."
    )
    flows: Text = setting("flows", says="Directory of the project's own Prefect flows, relative to the project's root.")
    state: Text = setting(".seatrial", says="Directory of the local state, relative to the project's root.")
    registry: Registry = setting(
        "models", example="models",
        says="URI scheme of the registry that 'seatrial reconcile' reads; 'seatrial plugins' lists the installed ones.",
    )  # fmt: skip
    trackers: Trackers = setting(
        (), example=["wandb"], allowed="a list of trackers",
        says="Trackers that every verdict is logged to, beside that of the registry; 'seatrial plugins' lists the "
        "installed ones.",
    )  # fmt: skip
    tracking_uri: str = setting(
        "", example="sqlite:///mlflow.db",
        says="MLflow's tracking URI where MLFLOW_TRACKING_URI is not set; a local one begins in the project's root. By "
        "default the store mlflow.db that MLflow made in the root, else one in the state directory.",
    )  # fmt: skip
    code: List[Text] = setting(
        (), example=["serving", "common/*.py"],
        says="Files, folders and globs of the code that makes the path and the service, relative to the project's "
        "root: a version is validated again when they change. By default the pipeline's folder, what is imported from "
        "it, and the service's folder; lock files and declared dependencies always count.",
    )  # fmt: skip
    head_hours: float = setting(
        24.0, gt=0, unit="h",
        says="Hours for which 'seatrial verify' takes a signed head as fresh where it cannot ask the ledger; "
        "'seatrial reconcile' renews heads after half of it.",
    )  # fmt: skip
    models: List[Text] = setting(
        ("*",), min_length=1, example=["payments-*"], allowed="a list of patterns of registered models",
        says="Name patterns of the registered models that belong to this project.",
    )  # fmt: skip
    environment: Variables = setting(
        (), example=["PAYMENTS_STORE_URL"], allowed="a list of names of environment variables",
        says="Environment variables that are passed to the process that loads a model, in addition to the usual ones.",
    )  # fmt: skip
    python: str = setting(
        "", example=".venv/bin/python", allowed='the path of an interpreter, or "model"',
        says="Interpreter that runs the pipeline and the model, relative to the project's root; by default that of "
        "seatrial. With 'model', an environment is built by uv from what the version carries: its uv.lock, else its "
        "requirements.",
    )  # fmt: skip
    command: List[Text] = setting(
        (), example=["podman", "run", "--rm", "-i", "--network=host", "{volumes}", "shop:1"],
        says="Command that the interpreter and the service run behind, such as that of a container. {volumes} stands "
        "for the folders that they need, as -v SOURCE:TARGET:ro.",
    )  # fmt: skip
    isolation: Literal["available", "required"] = setting(
        "available",
        says="With 'required', nothing runs without a file system of its own, by bubblewrap or by 'command'.",
    )
    readable: List[Text] = setting(
        (), example=["~/nltk_data"],
        says="Paths outside the project that the pipeline, the model or the service read. With bubblewrap, the "
        "folders of users and temporary files are hidden from them otherwise.",
    )  # fmt: skip
    engines: List[Text] = setting(
        (), example=["podman"], allowed="a list of programs, as the service's command names them",
        says="Container engines that a service may be started with. They run outside of the isolation, with the rights "
        "of this user: the pipeline's code can then do what the engine can.",
    )  # fmt: skip
    cache: Literal["validate", "always", "never"] = setting(
        "validate",
        says="When results of earlier, identical runs are used again: by the command 'seatrial validate', always, or "
        "never. With 'always', scheduled runs use them too. --cache and --no-cache decide for one command.",
    )
    limits: Limits = setting(Limits(), says="Limits of the process that loads a model.")
    retention: RetentionSettings = setting(
        RetentionSettings(), says="How long results, downloads and flow runs are kept."
    )
    local_evidence: LocalEvidenceSettings = setting(
        LocalEvidenceSettings(), says="How long the values behind findings are kept on this machine."
    )
    scale: ScaleSettings = setting(ScaleSettings(), says="What works on the parts of large tables and references.")
