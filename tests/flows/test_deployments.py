"""The deployments on a real Prefect server: everything deploys, and its scheduler makes the nightly run."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from prefect.client.orchestration import get_client

from seatrial.project import Project

pytestmark = pytest.mark.server


def test_everything_deploys_and_the_nightly_run_is_scheduled(payments: Project, prefect_api: str) -> None:
    """Three deployments with readable parameters; a scheduled run of the nightly one appears within a minute."""
    prefect = [sys.executable, "-m", "prefect", "--no-prompt"]
    here = {**os.environ, "PREFECT_API_URL": prefect_api, "SEATRIAL_PROJECT": str(payments.root)}
    for words in (
        ["work-pool", "create", "seatrial", "--type", "process"],
        ["deploy", "--prefect-file", "deployments/prefect.yaml", "--all"],
    ):
        done = subprocess.run(
            [*prefect, *words], cwd=payments.root, env=here, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    with get_client(sync_client=True) as client:
        deployed = {d.name: d for d in client.read_deployments()}
        assert set(deployed) == {"validate", "nightly", "capture"}
        assert "model_uri" in deployed["validate"].parameter_openapi_schema["properties"]
        assert deployed["validate"].pull_steps[0]["prefect.deployments.steps.set_working_directory"] == {
            "directory": str(payments.root)
        }
        until = time.monotonic() + 90
        while time.monotonic() < until:
            runs = [r for r in client.read_flow_runs() if r.deployment_id == deployed["nightly"].id]
            if runs:
                break
            time.sleep(0.5)
        assert runs
        assert {r.state_name for r in runs} == {"Scheduled"}
