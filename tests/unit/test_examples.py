"""The examples in the docstrings of the vocabulary run, and give what they show."""

from __future__ import annotations

import doctest
import importlib

import pytest

import seatrial

MODULES = (
    "checks.contract.fields", "checks.contract.matching", "checks.contract.meaning.signature", "checks.engine",
    "checks.serving.dependencies", "errors", "events.event", "events.verdict", "formatting", "kfp.step",
    "metrics.base", "metrics.catalogue", "metrics.groups", "pipeline.address", "pipeline.parts", "pipeline.path",
    "pipeline.rule", "policy.quality", "process.engines", "registry.descriptions", "registry.kubeflow.addresses",
    "registry.kubeflow.storage", "sinks.base", "sinks.evidence", "sinks.outline", "targets.launch",
    "targets.probes.base", "targets.probes.records", "trial",
)  # fmt: skip
PUBLIC = (
    "Dependency", "Finding", "Measurement", "Outcome", "Pipeline", "SeatrialError", "Service", "Severity", "Sink",
    "Quality", "Stage", "Subject", "Trial", "Verdict", "run",
)  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_run(module: str) -> None:
    """Each example gives the output that its docstring shows."""
    failed, ran = doctest.testmod(importlib.import_module(f"seatrial.{module}"))
    assert (failed, ran > 0) == (0, True)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_an_example(name: str) -> None:
    """A reader sees each public name in use."""
    assert ">>>" in getattr(seatrial, name).__doc__
