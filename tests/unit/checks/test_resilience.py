"""The resilience check: each criterion on what was seen, and a live service whose HTTP dependency is broken."""

import pytest

from seatrial.checks.serving.matrix import scenarios_of
from seatrial.errors import PolicyError
from seatrial.faults.proxy.dependency import is_proxied
from seatrial.policy.service import FailurePolicy, Load, Slo
from seatrial.policy.settings import read

OF_THE_WIRE = (
    "latency_within", "slicer", "latency_beyond", "trickle", "down", "timeout", "reset_peer", "limit_data"
)  # fmt: skip
OF_ANSWERS = ("errors", "too_many_requests", "wrong_schema", "nulls", "missing_keys")


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("postgresql+psycopg://u:p@db/x", True), ("redis://127.0.0.1:6379/0", True), ("http://store:8000", True),
        ("kafka://broker:9092", True), ("sqlite:///file.db", False), ("sqlite://", False), ("kafka://b", False),
    ],
)  # fmt: skip
def test_only_a_url_with_host_and_port_has_a_proxy(url, known):
    """A file has no port to stand in front of, and an unknown scheme must say its port."""
    assert is_proxied(url) is known


def test_rows_follow_the_address_and_the_policy():
    """A database gets faults of the wire, an HTTP dependency those of answers too, and a list picks."""
    policy = FailurePolicy(timeout_ms=100)
    assert [r.name for r in scenarios_of(policy, "redis://h:1")] == [*OF_THE_WIRE]
    assert [r.name for r in scenarios_of(policy, "http://h:1")] == [*OF_THE_WIRE, *OF_ANSWERS]
    assert [r.name for r in scenarios_of(FailurePolicy(timeout_ms=100, faults=["down", "nulls"]), "redis://h:1")] == [
        "down"
    ]


@pytest.mark.parametrize(
    ("kind", "table", "says"),
    [
        (Slo, {"rate": 5}, "does not say 'limit_ms'"),
        (Slo, {"limit": 5}, "mean 'limit_ms'"),
        (Slo, {"limit_ms": 5, "rate": 5, "percentile": 99}, "a share between 0 and 1"),
        (Load, {"runs": 1.5}, "a whole number"),
        (Load, {"utilisation": 0.9}, "at most 0.8"),
        (Load, {"profile": [[0, 5]]}, "two or more corners"),
        (Load, {"profile": [5, 6]}, "a list of corners"),
        (FailurePolicy, {"faults": ["dwon"]}, "mean 'down'"),
        (FailurePolicy, {"timeout_ms": float("nan")}, "a number above 0"),
        (FailurePolicy, {"bystanders": "/health"}, "a list of texts"),
    ],
)
def test_service_toml_is_strict(kind, table, says):
    """A setting that is misspelt, missing, or of another kind is refused with what is allowed."""
    with pytest.raises(PolicyError, match=says):
        read(kind, "service.toml, [x]", table)
