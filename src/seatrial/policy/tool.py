"""What ``[tool.seatrial]`` of a project's pyproject.toml declares."""

from __future__ import annotations

from seatrial.policy.settings import List, Settings, setting
from seatrial.policy.values import Registry, Text, Variables


class Limits(Settings):
    """Limits of the process that loads a model. Memory and processes are counted over all that it starts (Linux)."""

    load_seconds: float = setting(
        300.0, gt=0, unit="s", says="Time to read the pipeline and the policy, and again to load the models."
    )
    case_seconds: float = setting(1800.0, gt=0, unit="s", says="Time for one case, such as a whole load test.")
    memory_mb: int = setting(
        8192, ge=1, unit="MiB", says="Resident memory. Pages that two processes share count twice."
    )
    processes: int = setting(128, ge=1, says="Processes at a time, those of the services under test included.")
    file_mb: int = setting(4096, ge=1, unit="MiB", says="Size of the largest file that may be written.")
    log_mb: int = setting(16, ge=1, unit="MiB", says="How much of its output is stored.")


class ToolSettings(Settings):
    """The table [tool.seatrial] of pyproject.toml: where the project's parts are, and how a model is isolated."""

    pipeline: str = setting(
        pattern="^[^:]+:.+$", example="path/to/file.py:name", allowed='"path/to/file.py:name"',
        says="The pipeline: its file, from the project's root, and its name there.",
    )  # fmt: skip
    expectations: Text = setting("expectations", says="Directory of the policy, from the project's root.")
    flows: Text = setting("flows", says="Directory of the Prefect flows, from the project's root.")
    state: Text = setting(".seatrial", says="Directory of the local state, from the project's root.")
    registry: Registry = setting(
        "models", example="models",
        says="Scheme of the registry that 'seatrial reconcile' watches; 'seatrial plugins' lists what is installed.",
    )  # fmt: skip
    models: List[Text] = setting(
        ("*",), min_length=1, example=["payments-*"], allowed="a list of patterns of registered models",
        says="Patterns of the registered models that belong to this project.",
    )  # fmt: skip
    environment: Variables = setting(
        (), example=["PAYMENTS_STORE_URL"], allowed="a list of variables' names",
        says="Variables that the process which loads a model may see, besides those of any program.",
    )  # fmt: skip
    isolation: Limits = setting(Limits(), says="Limits of the process that loads a model.")
