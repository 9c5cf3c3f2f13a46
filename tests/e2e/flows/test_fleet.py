"""Versions are validated in flow runs of their own, as many at once as the pool allows; each gets one verdict."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from seatrial import registry
from seatrial.ledger import Ledger, url_for
from seatrial.orchestration.deployments.dispatch import dispatch
from seatrial.orchestration.prefect_api import client
from seatrial.project import Project
from seatrial.promotion import reconcile
from tests.e2e.flows import fleet
from tests.e2e.trials import aftermath, chaos
from tests.support.waiting import until

pytestmark = pytest.mark.server
wait = partial(until, seconds=600, every=0.5)
VALIDATE = '''
"""Commit a verdict at once. The first two runs wait for each other, and the first of all for its end."""

import os
import time
from pathlib import Path

from prefect import flow
from prefect.states import Completed

from seatrial.events import Outcome
from seatrial.ledger import JOB, Facts, Ledger
from seatrial.project import Project


@flow(name="validate", flow_run_name="{model_uri}", validate_parameters=False)
def validate(model_uri: str, project: str = "."):
    begun = Path(project) / "begun"
    begun.mkdir(exist_ok=True)
    (begun / str(os.getpid())).touch()
    until = time.monotonic() + 300
    while len(list(begun.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    try:
        (begun / "killed").touch(exist_ok=False)
    except FileExistsError:
        pass
    else:
        (Path(project) / "pid").write_text(str(os.getpid()))
        time.sleep(600)
    with Ledger.of(Project.find(project).state) as ledger:
        ledger.commit(JOB.get(), Facts(Outcome.FAIL, "fail: by hand"), [("tags", {"tags": {"told": "1"}, "page": ""})])
    return Completed(message="fail: by hand")
'''


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The tiny project, with Prefect at a server of its own."""
    before = dict(os.environ)
    made = fleet.make(tmp_path, VALIDATE)
    for name in [n for n in os.environ if n.startswith(("MLFLOW_", "_MLFLOW", "SEATRIAL_"))]:
        del os.environ[name]
    url, server = fleet.prefect_server(made)
    try:
        server.start().wait()
        with fleet.api(url):
            made.activate()
            yield made
    finally:
        server.kill()
        os.environ.clear()
        os.environ.update(before)


def due_now(project: Project) -> None:
    """Let pauses and the leases of the dead be over."""
    engine = create_engine(url_for(project.state))
    with engine.begin() as connection:
        connection.execute(text("UPDATE job SET due_at = 1 WHERE state = 'open' AND due_at > 1 AND owner = ''"))
    engine.dispose()


def test_every_version_gets_one_verdict_two_at_once(project: Project) -> None:
    """One run is cancelled before it begins, another is killed: both versions are offered again, and nobody's twice."""
    numbers = [chaos.register(project) for _ in range(4)]
    fleet.deployed(project)
    url = os.environ["PREFECT_API_URL"]
    with Ledger.of(project.state) as ledger:
        reconcile.scan_registry(ledger, project)
        offered = dispatch(project, ledger)
        assert offered is not None
        assert (offered.created, offered.waiting, offered.lost) == (4, 4, ())
        again = dispatch(project, ledger)
        assert again is not None
        assert (again.created, again.waiting) == (0, 4)
        assert sum(at.open for at in ledger.standings()) == 4, "an offer is no claim"

        victim = fleet.runs(project)[0]
        with client("cancel") as prefect:
            from prefect.states import Cancelled

            prefect.set_flow_run_state(victim.id, Cancelled(message="by hand"), force=True)
        told = dispatch(project, ledger)
        assert told is not None
        assert [victim.parameters["model_uri"] in line and "by hand" in line for line in told.lost] == [True]
        paused = [v.latest for v in ledger.overview() if v.latest and v.latest.state == "paused"]
        assert [(each.attempts, "by hand" in each.error) for each in paused] == [(0, True)]

        worker = fleet.worker(project, url, 2)
        try:
            worker.start()
            log, mark = worker.log.read_text, project.root / "pid"
            pid = int(wait(lambda: mark.is_file() and mark.read_text(), log))
            os.kill(pid, signal.SIGKILL)
            with create_engine(url_for(project.state)).begin() as connection:  # as if the lease had run out
                over = text("UPDATE job SET due_at = 1 WHERE owner LIKE :dead")
                assert connection.execute(over, {"dead": f"%:{pid}"}).rowcount == 1

            def settled() -> bool:
                due_now(project)
                dispatch(project, ledger)
                return bool(aftermath.settled(ledger, 4))

            wait(settled, log, every=2)
            wait(lambda: all(run.state.is_final() for run in fleet.runs(project)), log)
        finally:
            worker.kill()
        assert Counter(verdict.number for verdict in ledger.verdicts(chaos.MODEL)) == dict.fromkeys(numbers, 1)
    ended = [run for run in fleet.runs(project) if not run.state.is_cancelled()]
    assert fleet.at_once([(run.start_time, run.end_time) for run in ended]) == 2
    assert {registry.resolve(f"models:/tiny/{n}").tags["told"] for n in numbers} == {"1"}, "its own effects"
    began = Counter(run.parameters["model_uri"] for run in ended)
    assert sorted(began.values()) == [1, 1, 1, 2], "the killed one alone began twice"
