"""The ledger on real databases: its migrations, and a worker that is stopped past its lease."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from seatrial.events import Outcome, Subject
from seatrial.ledger import Facts, Ledger, schema
from seatrial.ledger.migrate import HEAD, VERSION_TABLE
from tests.e2e.trials.postgres import postgres

FAIL = Facts(Outcome.FAIL, "fail", digest="sha256:content", policy_digest="sha256:policy")


@dataclass(frozen=True)
class Version:
    """A version as a registry lists it."""

    number: str
    created: int
    name: str = "payments"
    run_id: str = "run"
    model_id: str = ""

    @property
    def subject(self):
        return Subject(self.name, self.number, created=self.created)


def versions(count):
    return [Version(str(n), 1_000 + n) for n in range(1, count + 1)]


@pytest.fixture(scope="module")
def server():
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'ledger.db'}"
    address = request.getfixturevalue("server")
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return address


@pytest.fixture
def ledger(url):
    with Ledger.open(url) as opened:
        yield opened


# --- both databases --------------------------------------------------------------------------------------


def test_the_migrations_make_the_tables_that_the_code_knows(ledger):
    """Nothing is missing and nothing differs, and who opens it next finds nothing to do."""
    with ledger._engine.connect() as connection:
        others = {"include_object": lambda _, name, kind, *__: not (kind == "table" and name == VERSION_TABLE)}
        found = compare_metadata(MigrationContext.configure(connection, opts=others), schema.metadata)
        assert found == []
        assert connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar() == HEAD


# --- a worker that sleeps past its lease -----------------------------------------------------------------

SLEEPER = """
import sys
from seatrial.events import Outcome
from seatrial.ledger import Facts, Fenced, Ledger
ledger = Ledger.open(sys.argv[1])
job = ledger.claim("sleeper", 2.0)
print("claimed", flush=True)
sys.stdin.readline()
try:
    ledger.commit(job, Facts(Outcome.PASS, "stale"))
except Fenced:
    print("fenced", flush=True)
"""


def test_a_worker_that_was_stopped_past_its_lease_and_woken_is_refused(tmp_path):
    """Stopped in the middle of a job, by the database's own clock; its verdict never comes in."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger.open(url) as ledger:
        ledger.observe(versions(1))
        sleeper = subprocess.Popen(
            [sys.executable, "-c", SLEEPER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert sleeper.stdout.readline() == "claimed\n"
        os.kill(sleeper.pid, signal.SIGSTOP)
        while (job := ledger.claim("other")) is None:
            threading.Event().wait(0.05)
        ledger.commit(job, FAIL)
        os.kill(sleeper.pid, signal.SIGCONT)
        output, _ = sleeper.communicate("go on\n", timeout=120)
        assert output == "fenced\n"
        assert [k.outcome for k in ledger.verdicts("payments")] == [Outcome.FAIL]
