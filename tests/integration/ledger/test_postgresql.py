"""Every unit test of the ledger, on PostgreSQL."""

import pytest

from tests.unit.ledger.test_ledger import *  # noqa: F403


@pytest.fixture
def url(postgresql):
    """The unit tests' ledger is on this database."""
    return postgresql
