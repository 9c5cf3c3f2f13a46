"""An InferenceGraph of KServe as what it depends on: its steps, each with its address and whether it is hard or soft.

``dependency: Hard`` of a step means that the graph has no answer without it. A step without ``dependency`` is soft, as
in KServe's router. A step counts as hard here where the steps that lead to its node are hard too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.errors import UsageError, nearest
from seatrial.pipeline import Dependency

ROOT = "root"  # the node in which KServe's router begins
ROUTERS = ("Sequence", "Splitter", "Ensemble", "Switch")
TARGETS = ("nodeName", "serviceName", "serviceUrl")


@dataclass(frozen=True)
class GraphStep:
    """A step that calls a service.

    Attributes:
        name: as a dependency of the pipeline: the step's own name, else that of its service, with ``_`` for what no
            name in Python may hold.
        url: its address; empty where the graph names an InferenceService alone, whose address the cluster knows.
        hard: whether the graph has no answer without it.
    """

    name: str
    url: str
    hard: bool


@dataclass(frozen=True)
class Graph:
    """The steps of an InferenceGraph.

    Attributes:
        steps: those that call a service, in the order in which the router reaches them.
        spec: of the graph, with ``{NAME.url}`` in the place of each step's address.
        timeout_ms: how long the router waits for a step, in milliseconds; None where it waits without an end.

    Example:
        >>> step = {"name": "score", "serviceUrl": "http://score.example/v1/models/score:predict", "dependency": "Hard"}
        >>> graph = graph_of({"nodes": {"root": {"routerType": "Sequence", "steps": [step]}}})
        >>> graph.steps[0].name, graph.steps[0].hard
        ('score', True)
        >>> graph.spec["nodes"]["root"]["steps"][0]["serviceUrl"]
        '{score.url}'
    """

    steps: tuple[GraphStep, ...]
    spec: Mapping[str, Any]
    timeout_ms: float | None = None

    @property
    def router_json(self) -> str:
        """The graph for the router's ``--graph-json``: a Service fills the blanks with the addresses of proxies."""
        return json.dumps(self.spec)

    def dependencies(
        self,
        connect: Callable[[str], Any],
        *,
        urls: Mapping[str, str] | None = None,
        fallbacks: Mapping[str, Callable[[], Any]] | None = None,
    ) -> list[Dependency]:
        """Return the steps as dependencies of a pipeline.

        Args:
            connect: makes a client of a step's address.
            urls: addresses by name, in the place of those in the graph: as they are reached from here.
            fallbacks: what stands in for soft steps, by name.

        Raises:
            UsageError: a name that is no step; a step without an address; a fallback of a hard step.
        """
        urls, fallbacks = urls or {}, fallbacks or {}
        hard = {step.name: step.hard for step in self.steps}
        for name in (*urls, *fallbacks):
            if name not in hard:
                raise UsageError(f"The graph has no step '{name}'. Its steps: {', '.join(hard)}.{nearest(name, hard)}")
        if wrong := next((name for name in fallbacks if hard[name]), None):
            raise UsageError(
                f"Step '{wrong}' is hard: there is no answer without it, and so no fallback. Leave it out."
            )
        made = []
        for step in self.steps:
            url = urls.get(step.name, step.url)
            if not url:
                raise UsageError(
                    f"Step '{step.name}' names an InferenceService, whose address the cluster alone knows. Give one "
                    f'that is reached from here: urls={{"{step.name}": "http://…"}}.'
                )
            made.append(Dependency(step.name, url, connect, fallbacks.get(step.name)))
        return made


def read_graph(path: str | Path) -> Graph:
    """Return an InferenceGraph from its YAML or JSON file.

    Raises:
        UsageError: the file cannot be read, or is no graph that the router takes.
    """
    text = _text(Path(path))
    try:
        document = json.loads(text)
    except ValueError:
        document = _from_yaml(text, path)
    kind = document.get("kind") if isinstance(document, dict) else type(document).__name__
    if kind != "InferenceGraph" or not isinstance(document.get("spec"), dict):
        raise UsageError(f"{path} must hold one InferenceGraph with its spec; found: {kind}.")
    try:
        return graph_of(document["spec"])
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def graph_of(spec: Mapping[str, Any]) -> Graph:
    """Return the spec of an InferenceGraph as what it depends on.

    Raises:
        UsageError: what KServe refuses too: no root, an unknown router or node, not one target of a step; or two steps
            of one name.
    """
    nodes = spec.get("nodes")
    if not isinstance(nodes, Mapping) or ROOT not in nodes:
        raise UsageError(f"spec.nodes has no node '{ROOT}', in which the router begins.")
    steps: dict[tuple[str, int], GraphStep] = {}
    for place, step, hard in _reached(nodes, ROOT, True, ()):
        found = _named(place, step, hard)
        before = steps.get(place, found)
        steps[place] = GraphStep(found.name, found.url, found.hard and before.hard)
    names = [step.name for step in steps.values()]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"Two steps are called '{twice}'. Give one of them another 'name'.")
    through = {place: f"{{{step.name}.url}}" for place, step in steps.items()}
    reached = {name: node for name, node in nodes.items() if isinstance(node, Mapping)}
    written = {name: _through(name, node, through) for name, node in reached.items()}
    return Graph(tuple(steps.values()), {**spec, "nodes": written}, _timeout_ms(spec.get("routerTimeouts")))


def _timeout_ms(timeouts: Any) -> float | None:
    seconds = timeouts.get("serviceClient") if isinstance(timeouts, Mapping) else None
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds <= 0:
        raise UsageError(f"routerTimeouts.serviceClient: found {seconds!r}. Give whole seconds, 1 or more.")
    return seconds * 1e3


def _reached(
    nodes: Mapping[str, Any], name: str, hard: bool, above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, int], Mapping[str, Any], bool]]:
    """Yield each step that calls a service, by its place, and whether it and all that lead to it are hard."""
    if name in above:
        raise UsageError(f"Node '{name}' leads to itself: {' → '.join((*above, name))}.")
    node = nodes.get(name)
    if not isinstance(node, Mapping):
        raise UsageError(f"There is no node '{name}'. Nodes: {', '.join(nodes)}.{nearest(name, nodes)}")
    if (router := node.get("routerType")) not in ROUTERS:
        raise UsageError(f"Node '{name}', routerType: found {router!r}. Allowed: {', '.join(ROUTERS)}.")
    for number, step in enumerate(_steps(name, node)):
        targets = [field for field in TARGETS if step.get(field)]
        if len(targets) != 1:
            raise UsageError(f"Node '{name}', step {number}: give one of {', '.join(TARGETS)}.")
        if step.get("dependency") not in (None, "", "Soft", "Hard"):
            raise UsageError(
                f"Node '{name}', step {number}, dependency: found {step['dependency']!r}. Allowed: Soft, Hard."
            )
        needed = hard and step.get("dependency") == "Hard"
        if step.get("nodeName"):
            yield from _reached(nodes, step["nodeName"], needed, (*above, name))
        else:
            yield (name, number), step, needed


def _steps(name: str, node: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    steps = node.get("steps") or []
    if not isinstance(steps, list) or not all(isinstance(each, Mapping) for each in steps):
        raise UsageError(f"Node '{name}', steps: give a list of mappings.")
    return steps


def _named(place: tuple[str, int], step: Mapping[str, Any], hard: bool) -> GraphStep:
    given = step.get("name") or step.get("serviceName") or f"{place[0]}_{place[1]}"
    name = re.sub(r"\W", "_", str(given), flags=re.ASCII)
    return GraphStep(f"_{name}" if name[0].isdigit() else name, str(step.get("serviceUrl") or ""), hard)


def _through(name: str, node: Mapping[str, Any], through: Mapping[tuple[str, int], str]) -> Mapping[str, Any]:
    def written(number: int, step: Mapping[str, Any]) -> Mapping[str, Any]:
        if (url := through.get((name, number))) is None:
            return step
        return {**{k: v for k, v in step.items() if k not in TARGETS}, "serviceUrl": url}

    return {**node, "steps": [written(number, step) for number, step in enumerate(_steps(name, node))]}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text in UTF-8.") from error


def _from_yaml(text: str, path: str | Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise UsageError(
            f"{path} is YAML, which PyYAML reads: pip install pyyaml. Or write the graph as JSON."
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
