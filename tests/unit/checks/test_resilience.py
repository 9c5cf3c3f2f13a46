"""The resilience check: which dependencies it runs on, which fault scenarios apply, and its settings."""

import pytest

from seatrial.checks.serving.matrix import scenarios_of
from seatrial.errors import PolicyError
from seatrial.faults.proxy.dependency import is_proxied
from seatrial.policy.failures import FailurePolicy
from seatrial.policy.load import Load, Slo
from seatrial.policy.settings import validated

OVER_TCP = (
    "latency_within", "jitter", "slicer", "drip", "latency_beyond", "trickle", "down", "timeout", "some_timeouts",
    "reset_peer", "some_resets", "limit_data",
)  # fmt: skip
OVER_HTTP = ("errors", "some_errors", "too_many_requests", "wrong_schema", "nulls", "missing_keys")


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("postgresql+psycopg://u:p@db/x", True), ("redis://127.0.0.1:6379/0", True), ("http://store:8000", True),
        ("kafka://broker:9092", True), ("sqlite:///file.db", False), ("sqlite://", False), ("kafka://b", False),
    ],
)  # fmt: skip
def test_a_proxy_needs_a_dependency_that_is_reached_is_proxied(url, known):
    """A file has no port to put a proxy in front of, and an unknown scheme needs a port."""
    assert is_proxied(url) is known


def test_scenarios_follow_the_address_and_the_policy():
    """A database gets faults of the connection, an HTTP dependency those of answers too, and a list selects."""
    policy = FailurePolicy(timeout_ms=100)
    assert [r.name for r in scenarios_of(policy, "redis://h:1")] == [*OVER_TCP]
    assert [r.name for r in scenarios_of(policy, "http://h:1")] == [*OVER_TCP, *OVER_HTTP]
    assert [r.name for r in scenarios_of(FailurePolicy(timeout_ms=100, faults=["down", "nulls"]), "redis://h:1")] == [
        "down"
    ]


@pytest.mark.parametrize(
    ("kind", "table", "says"),
    [
        (Slo, {"rate": 5}, r"required setting 'limit_ms' is missing. Example: limit_ms = 250 \(ms\)."),
        (Slo, {"limit": 5}, "mean 'limit_ms'"),
        (Slo, {"limit_ms": 5, "rate": 5, "percentile": 99}, "a number above 0 and below 1; found 99"),
        (Load, {"runs": 1.5}, "an integer of at least 1; found 1.5"),
        (Slo, {"limit_ms": 1, "rate": 1, "percentile": 1.0}, "above 0 and below 1; found 1.0"),
        (Load, {"profile": [[0, 5]]}, "two or more corners"),
        (Load, {"profile": [5, 6]}, r"a list of corners \[seconds, requests/s\]; found \[5, 6\]"),
        (FailurePolicy, {"faults": ["dwon"]}, "mean 'down'"),
        (FailurePolicy, {"timeout_ms": float("nan")}, "a number above 0; found nan"),
        (FailurePolicy, {"unaffected": "/health"}, 'a list of strings; found "/health"'),
    ],
)
def test_service_toml_is_strict(kind, table, says):
    """A setting that is misspelt, missing, or of another kind is refused with what is allowed."""
    with pytest.raises(PolicyError, match=says):
        validated(kind, table, "service.toml", PolicyError, below=("x",))
