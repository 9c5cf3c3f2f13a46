"""The stress flow: nothing declared is no pass, and what is declared is run and logged."""

from __future__ import annotations

import pytest

from seatrial import Outcome, Verdict
from seatrial.cli.commands import validate
from seatrial.project import Project
from seatrial.registry.mlflow.client import client

pytestmark = pytest.mark.server


def stressed(project: Project) -> Verdict:
    return validate(project.root, "models:/payments/1", flow="stress", quiet=True)


def test_nothing_declared_is_inconclusive(payments: Project, prefect_api: str) -> None:
    """Without an objective, and with a store that is no server, there is no case and no pass."""
    from prefect.client.orchestration import get_client

    assert stressed(payments).outcome is Outcome.INCONCLUSIVE
    with get_client(sync_client=True) as prefect:
        states = [r.state for r in prefect.read_flow_runs(limit=50) if r.name == "models:/payments/1"]
    assert any("no [slo]" in (s.message or "") and "not reached over TCP (sqlite)" in (s.message or "") for s in states)


def test_what_is_declared_is_run_and_logged(payments: Project, prefect_api: str) -> None:
    """The load check's figures and raw latencies are in MLflow; the version's own verdict is left alone."""
    policy = payments.root / "expectations" / "service.toml"
    before = policy.read_text()
    registry = client()
    tags = dict(registry.get_model_version("payments", "1").tags)
    objective = "[slo]\npercentile = 0.5\nlimit_ms = 5000\nrate = 5\n"
    policy.write_text(f"{before}\n{objective}[load]\nruns = 1\nrequests = 20\nfind_max_rate = false\n")
    try:
        verdict = stressed(payments)
    finally:
        policy.write_text(before)
    assert verdict.findings == ()
    assert (payments.state / "reports" / "payments-1-stress" / "latest" / "report.html").is_file()
    assert {m.name for m in verdict.measurements} >= {"cold start", "p50", "error share", "answers compared"}
    assert registry.get_model_version("payments", "1").tags == tags
    experiment = registry.get_experiment_by_name("seatrial/payments")
    run = registry.search_runs([experiment.experiment_id], max_results=1)[0]
    files = {a.path for a in registry.list_artifacts(run.info.run_id, "load")}
    assert files == {"load/latencies.parquet", "load/latencies.hdr", "load/histogram.svg", "load/timeline.svg"}
