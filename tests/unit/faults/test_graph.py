"""An InferenceGraph as dependencies: which steps it calls, which are hard, and what KServe would refuse."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial import Pipeline
from seatrial.errors import PolicyError, UsageError
from seatrial.faults.graph import graph_of, read_graph
from seatrial.policy.digest import policy_digest
from seatrial.policy.policy import Policy
from tests.support.kubernetes import problems

GRAPH = """
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: offers}
spec:
  routerTimeouts: {serviceClient: 2}
  nodes:
    root:
      routerType: Sequence
      steps:
        - {name: enrich, serviceUrl: "http://enrich.example/v1/models/enrich:predict", dependency: Hard}
        - {nodeName: models, data: $response, dependency: Hard}
        - {nodeName: extras, data: $request}
    models:
      routerType: Ensemble
      steps:
        - {serviceName: fraud-eu, dependency: Hard}
        - {serviceUrl: "http://bonus.example:8080/score", dependency: Soft}
    extras:
      routerType: Splitter
      steps:
        - {name: left, serviceUrl: "http://left.example", weight: 50, dependency: Hard}
        - {name: right, serviceUrl: "http://right.example", weight: 50, dependency: Hard}
"""
SPEC: dict[str, Any] = yaml.safe_load(GRAPH)["spec"]


def test_the_graph_of_these_tests_is_one() -> None:
    """By the schema of the custom resource."""
    assert problems(yaml.safe_load(GRAPH)) == []


def test_steps_become_dependencies(tmp_path: Path) -> None:
    """A step is hard where all that lead to it are; what nothing leads to is not there."""
    (tmp_path / "graph.yaml").write_text(GRAPH)
    graph = read_graph(tmp_path / "graph.yaml")
    found = {step.name: step.hard for step in graph.steps}
    assert found == {"enrich": True, "fraud_eu": True, "models_1": False, "left": False, "right": False}
    made = graph.dependencies(str, urls={"fraud_eu": "http://127.0.0.1:9"}, fallbacks={"left": dict})
    assert [(each.name, each.url) for each in made[:3]] == [
        ("enrich", "http://enrich.example/v1/models/enrich:predict"), ("fraud_eu", "http://127.0.0.1:9"),
        ("models_1", "http://bonus.example:8080/score"),
    ]  # fmt: skip
    assert [each.fallback for each in made] == [None, None, None, dict, None]
    assert graph.timeout_ms == 2_000


def test_the_router_gets_the_graph_with_blanks_for_addresses() -> None:
    """What a step says besides stays; a service that the cluster names has an address too."""
    spec = json.loads(graph_of(SPEC).router_json)
    assert [step["serviceUrl"] for step in spec["nodes"]["models"]["steps"]] == ["{fraud_eu.url}", "{models_1.url}"]
    assert "serviceName" not in spec["nodes"]["models"]["steps"][0]
    assert spec["nodes"]["root"]["steps"][1:] == SPEC["nodes"]["root"]["steps"][1:]
    assert spec["nodes"]["extras"]["steps"][0]["weight"] == 50
    assert spec["routerTimeouts"] == SPEC["routerTimeouts"]


def test_a_step_on_two_ways_is_hard_where_both_are() -> None:
    """By one of them there is an answer without it."""
    leaf = {"routerType": "Sequence", "steps": [{"name": "a", "serviceUrl": "http://a.example", "dependency": "Hard"}]}
    for second, hard in (("Hard", True), ("Soft", False)):
        ways = [{"nodeName": "leaf", "dependency": "Hard"}, {"nodeName": "leaf", "dependency": second}]
        graph = graph_of({"nodes": {"root": {"routerType": "Ensemble", "steps": ways}, "leaf": leaf}})
        assert [(step.name, step.hard) for step in graph.steps] == [("a", hard)]


URL = "http://a.example"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "no node 'root'"),
        ({"nodes": {"first": {}}}, "no node 'root'"),
        ({"nodes": {"root": {"routerType": "Chain"}}}, "Allowed: Sequence"),
        ({"nodes": {"root": {"routerType": "Sequence", "steps": [{}]}}}, "give one of nodeName"),
        ({"nodes": {"root": {"routerType": "Sequence", "steps": ["a"]}}}, "a list of mappings"),
        (
            {"nodes": {"root": {"routerType": "Sequence", "steps": [{"serviceUrl": URL, "serviceName": "a"}]}}},
            "give one of",
        ),
        (
            {"nodes": {"root": {"routerType": "Sequence", "steps": [{"serviceUrl": URL, "dependency": "hard"}]}}},
            "Allowed: Soft, Hard",
        ),
        ({"nodes": {"root": {"routerType": "Sequence", "steps": [{"nodeName": "root"}]}}}, "to itself: root → root"),
        (
            {"nodes": {"root": {"routerType": "Sequence", "steps": [{"nodeName": "modles"}]}, "models": {}}},
            "Did you mean 'models'",
        ),
        (
            {"nodes": {"root": {"routerType": "Sequence", "steps": [{"name": "a", "serviceUrl": URL}] * 2}}},
            "Two steps are called 'a'",
        ),
        ({**SPEC, "routerTimeouts": {"serviceClient": 0}}, "1 or more"),
    ],
)  # fmt: skip
def test_what_is_no_graph_is_refused(spec: dict[str, Any], said: str) -> None:
    """With the place, and what is allowed there."""
    with pytest.raises(UsageError, match=said):
        graph_of(spec)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"urls": {"enrch": URL}}, "Did you mean 'enrich'"),
        ({"fallbacks": {"enrich": dict}}, "is hard: there is no answer without it"),
        ({}, "whose address the cluster alone knows"),
    ],
)
def test_what_is_no_dependency_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        graph_of(SPEC).dependencies(str, **given)


@pytest.mark.parametrize(
    ("text", "said"), [("a: [", "is no YAML"), ("[]", "found: list"), ("kind: Job", "found: Job"), ("", "NoneType")]
)
def test_a_file_that_holds_no_graph_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "graph.yaml").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_graph(tmp_path / "graph.yaml")
    with pytest.raises(UsageError, match="No such file"):
        read_graph(tmp_path / "missing.yaml")


def test_a_project_without_yaml_writes_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker runs in the project's environment, which may have no reader of YAML."""
    imports = builtins.__import__

    def without(name: str, *given: Any, **more: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return imports(name, *given, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for name, text in (("graph.json", json.dumps({"kind": "InferenceGraph", "spec": SPEC})), ("graph.yaml", GRAPH)):
        (tmp_path / name).write_text(text)
    assert len(read_graph(tmp_path / "graph.json").steps) == 5
    with pytest.raises(UsageError, match="pip install pyyaml"):
        read_graph(tmp_path / "graph.yaml")


def policy(folder: Path, settings: str = "", without: str = "") -> Policy:
    (folder / "graph.yaml").write_text(GRAPH)
    (folder / "service.toml").write_text(settings)
    made = graph_of(SPEC).dependencies(str, urls={"fraud_eu": "http://127.0.0.1:9"})
    pipeline = Pipeline(
        "offers", key="id", raw=lambda frame: frame, response=lambda frame: frame,
        dependencies=[each for each in made if each.name != without],
    )  # fmt: skip
    return Policy.load(folder, pipeline)


def test_the_graph_of_a_policy_says_which_dependencies_are_hard(tmp_path: Path) -> None:
    """Its digest covers the graph; what service.toml says besides stays."""
    made = policy(tmp_path, "[dependencies.enrich]\ndeadline_ms = 900\n[dependencies.left]\ntimeout_ms = 100\n")
    assert [made.failure_policy(name).hard for name in ("enrich", "fraud_eu", "models_1")] == [True, True, False]
    assert made.failure_policy("enrich").deadline_ms == 900
    assert [made.failure_policy(name).timeout_ms for name in ("enrich", "left")] == [2_000, 100]
    (tmp_path / "graph.yaml").write_text(GRAPH.replace("Hard", "Soft"))
    assert policy_digest(tmp_path) != made.digest


@pytest.mark.parametrize(
    ("settings", "without", "said"),
    [
        ("[dependencies.enrich]\nhard = false\n", "", "step 'enrich' of graph.yaml is hard"),
        ("[dependencies.models_1]\nhard = true\n", "", "is soft"),
        ("", "enrich", "is no dependency of the pipeline"),
    ],
)
def test_a_policy_that_contradicts_its_graph_is_refused(settings: str, without: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=said):
        policy(tmp_path, settings, without)
