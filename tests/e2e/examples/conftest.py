"""The environment with torch, made once."""

from tests.conformance.environments import shapes_python  # noqa: F401  a fixture
