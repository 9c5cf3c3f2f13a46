"""The steps of an InferenceGraph as failure policies: ``graph.yaml`` in the policy's folder says which are hard."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from seatrial.errors import PolicyError, UsageError, nearest
from seatrial.faults.graph import Graph, read_graph
from seatrial.policy.failures import FailurePolicy
from seatrial.policy.service import ServiceSettings

GRAPHS = ("graph.yaml", "graph.json")


def with_graph(service: ServiceSettings, folder: Path, dependencies: Collection[str]) -> ServiceSettings:
    """Return the settings with a failure policy for each step of the graph in the folder; as they are without one.

    What ``[dependencies.NAME]`` sets stays. A step is hard as the graph says; its time-out is the router's.

    Args:
        service: as service.toml says.
        folder: of the policy.
        dependencies: of the pipeline.

    Raises:
        PolicyError: the graph cannot be read, a step is no dependency, or a table says something else about a step.
    """
    file = next((folder / name for name in GRAPHS if (folder / name).is_file()), None)
    if file is None:
        return service
    try:
        graph = read_graph(file)
    except UsageError as error:
        raise PolicyError(str(error)) from error
    if missing := next((step.name for step in graph.steps if step.name not in dependencies), None):
        raise PolicyError(
            f"{file}: step '{missing}' is no dependency of the pipeline, so it would never fail in a test. "
            f"Declare it: Pipeline(…, dependencies=read_graph('{file.name}').dependencies(connect=…))."
            f"{nearest(missing, dependencies)}"
        )
    steps = {step.name: _policy(graph, step.name, step.hard, service, file) for step in graph.steps}
    return service.model_copy(update={"dependencies": {**service.dependencies, **steps}})


def _policy(graph: Graph, name: str, hard: bool, service: ServiceSettings, file: Path) -> FailurePolicy:
    said = service.dependencies.get(name, FailurePolicy())
    if "hard" in said.model_fields_set and said.hard is not hard:
        found = "hard" if hard else "soft"
        raise PolicyError(
            f"[dependencies.{name}] sets hard = {str(said.hard).lower()}, and step '{name}' of {file.name} is {found}. "
            "Leave it out, or change the graph."
        )
    fields: dict[str, bool | float] = {"hard": hard}
    if said.timeout_ms is None and graph.timeout_ms is not None:
        fields["timeout_ms"] = graph.timeout_ms
    return said.model_copy(update=fields)
