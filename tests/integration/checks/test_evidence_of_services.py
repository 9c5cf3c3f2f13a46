"""Requests that a service answers with status 500 are kept as they were sent, and no secret with them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from seatrial import Pipeline, Policy, Service, capture
from seatrial.checks import named
from seatrial.checks.engine import run_case
from seatrial.cli.inspect.render import evidence_lines
from seatrial.events import Case, Finding, Subject, total
from seatrial.events.local import Exchange, LocalEvidence, relevant
from seatrial.policy.service import service_settings
from seatrial.sinks.files import new_directory, write_results
from seatrial.sinks.local.read import latest
from seatrial.sinks.local.store import write_local
from seatrial.sinks.retention import Retention
from seatrial.trial import Trial
from tests.integration.checks.test_shapes_at_an_address import KEY, gateway
from tests.support.tiny import parse, process, requests, respond, service


def kept(declared: Service, state: Path) -> tuple[list[Finding], LocalEvidence]:
    """Run golden and contract on a service, and write what was kept to the state."""
    pipeline = Pipeline("tiny", key="id", raw=parse, response=respond, service=declared)
    policy = Policy(service=service_settings({"contract": {"generated_requests": 0}}))
    found = []
    with Trial(pipeline, capture(pipeline, requests()), policy=policy) as trial:
        trial.local = LocalEvidence()
        for check in named(["golden", "contract"]):
            found += [e for e in run_case(check, trial, Case(check.name, "service")) if isinstance(e, Finding)]
    verdict = total(found, subject=Subject("tiny", "1"), path=["service"], planned=[])
    folder = new_directory(state, verdict.subject)
    write_results(verdict, found, folder)
    write_local(state, folder, trial.local, Retention(20, 1e6, 10**8))
    return found, trial.local


def test_a_request_with_a_key_is_kept_without_it_and_can_be_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway sends the key back in a header; the file and what is shown have the variable's name alone."""
    monkeypatch.setenv("STAGING_KEY", KEY)
    with gateway(service, "crashes") as url:
        declared = Service(url=url, predict="/score", openapi=None, headers={"X-Key": "{env:STAGING_KEY}"})
        findings, local = kept(declared, tmp_path)
        failed = next(f for f in findings if f.cause == "status-500" and f.check == "golden")
        back = latest(tmp_path, "tiny/1")
        shown = "\n".join(evidence_lines(relevant(failed, back.records)))
        [line] = re.findall(r"^  (curl .*)$", shown, re.MULTILINE)[:1]
        again = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert '-H "x-key: ${STAGING_KEY}"' in line
    assert "500" in again.stdout.splitlines()[0]
    assert '{"detail": "oops"}' in again.stdout
    assert any(KEY in str(r.answer_headers) for r in local.records if isinstance(r, Exchange)), "the gateway echoes it"
    files = [Path(folder) / name for folder, _, names in os.walk(tmp_path) for name in names]
    assert not [f for f in files if KEY.encode() in f.read_bytes()]
    assert "x-seen-key: ***" in shown
    refused = next(f for f in findings if f.cause == "status-500" and f.check == "contract")
    assert next(r.status for r in relevant(refused, back.records) if isinstance(r, Exchange)) == 500


def test_the_findings_of_a_started_service_have_request_answer_and_log(tmp_path: Path) -> None:
    """A column that differs has the request of its worst row, sent one by one, and the rows side by side."""
    findings, local = kept(process("round", batch=None), tmp_path)
    differs = next(f for f in findings if f.check == "golden" and f.column == "score")
    rows, exchange = relevant(differs, local.records)[:2]
    assert type(rows).__name__ == "Rows"
    assert isinstance(exchange, Exchange)
    assert exchange.method == "POST"
    assert set(exchange.keys) & set(differs.evidence["keys"])
    assert exchange.status == 200
    assert b'"score"' in exchange.answer
