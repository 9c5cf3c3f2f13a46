"""The containers of these tests, made once a session."""

from collections.abc import Iterator

import pytest

from tests.e2e.containers.image import Container, ContainersUnavailable, container


@pytest.fixture(scope="session")
def old_container() -> Iterator[Container]:
    """A container with Python 3.11, pandas 2.1 and numpy 1.26."""
    try:
        with container() as made:
            yield made
    except ContainersUnavailable as reason:
        pytest.skip(f"no container here: {reason}")


@pytest.fixture(scope="session")
def predictor() -> Iterator[Container]:
    """A container with a predictor, in the same environment."""
    try:
        with container(predictor=True) as made:
            yield made
    except ContainersUnavailable as reason:
        pytest.skip(f"no container here: {reason}")
