"""The ledger on PostgreSQL: the tests of tests/unit/ledger, and what only a server does."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from seatrial.ledger import database
from tests.e2e.trials.postgres import postgres
from tests.support.waiting import until
from tests.unit.ledger.test_ledger import (  # noqa: F401  collected here with the url of this file
    ledger,
    test_a_commit_after_the_lease_went_to_another_is_refused,
    test_a_delivery_counts_once,
    test_a_lease_that_ran_out_unnoticed_still_counts,
    test_a_pass_is_valid_until_a_fail,
    test_a_person_starts_a_validation,
    test_a_version_that_was_observed_is_not_new,
    test_an_error_of_the_environment_costs_no_attempt,
    test_deleted_and_recreated_under_the_same_number_it_is_validated_again,
    test_dying_between_verdict_and_outbox_leaves_neither,
    test_effects_come_in_order_and_one_at_a_time,
    test_failed_attempts_are_repeated_after_a_pause_and_bounded,
    test_of_one_models_aliases_one_is_moved_at_a_time,
    test_several_open_a_new_ledger_at_once,
    test_the_database_itself_refuses,
    test_untrusted_text_is_stored,
    test_workers_at_once_never_have_the_same_job,
)


@pytest.fixture(scope="module")
def server():
    with postgres() as url:
        yield url


@pytest.fixture
def url(server):
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return server


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
