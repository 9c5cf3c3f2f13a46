"""Frameworks as their tutorials write them: clean ones pass with the allowances of the how-to, and bugs are found.

Two of them run here, and one bug; with SEATRIAL_FRAMEWORKS=all every one does, and ``python tests/bench/frameworks.py``
asks load of them too. The services run in an environment of their own, and the judge runs here.
"""

import os
import re
import tomllib
from dataclasses import replace

import pytest

from seatrial import Outcome
from seatrial.events import Severity
from tests.conformance.frameworks import delivery, running
from tests.support.documented import documented
from tests.support.paths import ROOT

pytestmark = pytest.mark.server
CHEAP = ("fastapi", "flask")
ALL = os.environ.get("SEATRIAL_FRAMEWORKS") == "all"
NAMES = tuple(delivery.SERVICES) if ALL else CHEAP


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return delivery.train(tmp_path_factory.mktemp("trained") / "model")


@pytest.mark.parametrize("name", NAMES)
def test_a_service_of_a_tutorial_passes(tmp_path, frameworks_python, model, name):
    """Golden and contract, with what the how-to allows, and each allowance is needed: it is told as information."""
    tried = running.clean(tmp_path, frameworks_python, name, model, ["golden", "contract"])
    assert tried.verdict.outcome is Outcome.PASS, [f.message for f in tried.verdict.errors]
    told = [f.message for f in tried.verdict.findings if f.severity is Severity.INFO]
    assert all(any(reason.rstrip(".") in message for message in told) for reason in delivery.ALLOW[name].values())


@pytest.mark.parametrize("bug", running.BUGS if ALL else [*running.BUGS][:1])
@pytest.mark.parametrize("name", NAMES if ALL else ("flask",))
def test_a_bug_of_the_service_is_found(tmp_path, frameworks_python, model, name, bug):
    assert running.bug(tmp_path, frameworks_python, name, model, bug) == "found"


@pytest.mark.skipif(not ALL, reason="takes minutes: set SEATRIAL_FRAMEWORKS=all")
@pytest.mark.parametrize(
    ("name", "planted", "cause"),
    [
        ("starlette", "slow", "blocking-call"),
        ("flask", "slow", "workers-waiting"),
        ("starlette", "busy", "slow"),
        ("flask", "busy", "slow"),
    ],
)
def test_two_workers_are_diagnosed_by_what_all_of_them_do(tmp_path, frameworks_python, model, name, planted, cause):
    """Behind uvicorn and gunicorn; the process that was started does nothing in any of them."""
    assert running.under_load(tmp_path, frameworks_python, name, model, planted) == {cause}


def test_the_how_to_shows_what_is_tested():
    """Each declaration, each allowance, and the service that checks its requests."""
    defined, text = (
        documented("how-to/frameworks.md"),
        (ROOT / "docs" / "how-to" / "frameworks.md").read_text(encoding="utf-8"),
    )
    for name, service in delivery.SERVICES.items():
        if name != "flask_checked":
            shown = defined[name]
            assert replace(shown, request=None) == replace(service, request=None), name
            assert (shown.request is None) == (service.request is None)
    row = delivery.requests(1)
    assert defined["write_litserve"](row) == delivery.write_litserve(row)
    tables = [
        tomllib.loads(block) for block in re.findall(r"^```toml\n(\[contract.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]
    assert sorted(str(t["contract"]["allow"]) for t in tables) == sorted(str(a) for a in delivery.ALLOW.values() if a)
    checked = (running.HERE / "services" / "flask_checked.py").read_text(encoding="utf-8")
    assert checked.partition("\n\n")[2] in text
