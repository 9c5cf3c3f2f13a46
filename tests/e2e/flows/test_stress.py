"""The stress flow: nothing declared is no pass. What is declared is run in ``test_cluster.py``."""

from __future__ import annotations

import pytest

from seatrial import Outcome, Verdict
from seatrial.cli.commands import validate
from seatrial.project import Project

pytestmark = pytest.mark.server


def stressed(project: Project) -> Verdict:
    return validate(project.root, "models:/payments/1", flow="stress", quiet=True)


def test_nothing_declared_is_inconclusive(payments: Project, prefect_api: str) -> None:
    """Without an objective, and with a store that is no server, there is no case and no pass."""
    from prefect.client.orchestration import get_client

    assert stressed(payments).outcome is Outcome.INCONCLUSIVE
    with get_client(sync_client=True) as prefect:
        states = [r.state for r in prefect.read_flow_runs(limit=50) if r.state]
    assert any("no [slo]" in (s.message or "") and "not reached over TCP (sqlite)" in (s.message or "") for s in states)
