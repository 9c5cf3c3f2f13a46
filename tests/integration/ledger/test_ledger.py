"""What the ledger needs a real server or another process for, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from seatrial.events import Outcome
from seatrial.ledger import Ledger, database, migrate, schema
from seatrial.ledger.migrate import HEAD, VERSION_TABLE
from tests.support.waiting import until
from tests.unit.ledger.test_ledger import FAIL, versions


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


def test_verdicts_of_the_schema_before_get_numbers(url):
    """In the order in which they were committed; a verdict cannot be changed afterwards either."""
    engine = database.connect(url)
    if engine.dialect.name == "sqlite":
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO subject VALUES ('s', 'shop', '1', 1, '', '', 0, 'models')"))
        for epoch, at in ((0, 30.0), (1, 10.0), (2, 20.0)):
            values = f"('s', {epoch}, 'done', 0, 0, 0, 0, '', '')"
            connection.execute(text(f"INSERT INTO job VALUES {values}"))
            values = f"('s', {epoch}, 'pass', 0, '', '', '', '', '', {at})"
            connection.execute(text(f"INSERT INTO verdict VALUES {values}"))
    engine.dispose()
    with Ledger.open(url) as ledger:
        assert [(k.epoch, k.order) for k in ledger.verdicts("shop")] == [(1, 1), (2, 2), (0, 3)]
        assert ledger.statements("s") == []
        with pytest.raises(DBAPIError, match="never changes"), ledger._engine.begin() as connection:
            connection.execute(text("UPDATE verdict SET number = 9"))


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


def test_a_writer_that_is_frozen_is_cut_off(server, monkeypatch):
    """On PostgreSQL it holds up nobody for longer than a writer waits; what the address says besides stays."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 1)
    engine = database.connect(f"{server}?options=-c%20application_name%3Dours")
    asked = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ours'")
    with (
        engine.connect() as frozen,
        database.connect(server).execution_options(isolation_level="AUTOCOMMIT").connect() as other,
    ):
        assert frozen.execute(text("SHOW application_name")).scalar_one() == "ours"
        until(lambda: other.execute(asked).scalar_one() == 0, "it is still there")
        with pytest.raises(DBAPIError):
            frozen.execute(text("SELECT 1"))
    engine.dispose()
