"""What must hold when a dependency fails, as [dependencies.<name>] of service.toml declares it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal

from pydantic import model_validator

from seatrial.policy.refusals import refuse
from seatrial.policy.settings import List, Settings, setting
from seatrial.policy.values import Bind, Faults, Host, Text


class Resilience(Settings):
    """Where the proxies between the service and its dependencies are, as a service in a container reaches them."""

    bind: Bind = setting(
        "127.0.0.1", example="172.17.0.1",
        says="Address of this machine on which the proxies listen. A container reaches the default only on the host's "
        "network. With 0.0.0.0, whoever reaches this machine reaches the dependencies through them.",
    )  # fmt: skip
    host: Host = setting(
        "", example="host.docker.internal",
        says="Name or address under which the service reaches this machine; by default 'bind'. If either is set, "
        "dependencies on this machine's loopback are reached through a proxy in every check.",
    )  # fmt: skip

    @property
    def apart(self) -> bool:
        """Whether the service's loopback is said to be another one than that of this machine."""
        return bool(self.host) or self.bind != "127.0.0.1"

    @model_validator(mode="after")
    def _reachable(self) -> Resilience:
        if not self.host and ip_address(self.bind).is_unspecified:
            refuse((("host",), f"'host' is required where bind is {self.bind}: under which name does the service reach "
                               'this machine? Example: host = "host.docker.internal".'))  # fmt: skip
        return self


class FailurePolicy(Settings):
    """What must hold when the dependency fails. Fault scenarios run if ``timeout_ms`` is set."""

    live: bool = setting(
        False, says="Query the live dependency in every validation and compare its responses with the recorded ones."
    )
    timeout_ms: float | None = setting(
        None, gt=0, unit="ms", example=300, says="The service's timeout for a response of the dependency."
    )
    tls: Literal["service", "proxy"] = setting(
        "service",
        says="Who speaks TLS to the dependency under faults. With 'proxy', the service gets a plain address "
        "(http:// for https://, redis:// for rediss://) and the proxy checks the certificate by the real name. With "
        "'service', the name is kept only where it leads to this machine.",
    )  # fmt: skip
    deadline_ms: float | None = setting(
        None, gt=0, unit="ms", example=1500,
        says="Maximum response time during a fault; by default three times timeout_ms.",
    )  # fmt: skip
    recovery_seconds: float = setting(
        10.0,
        gt=0,
        unit="s",
        says="Maximum time from the end of a fault until responses are complete again, under load.",
    )
    max_amplification: float = setting(
        1.2, gt=0, says="Maximum calls of the dependency per request, within any second."
    )
    max_connections: int | None = setting(
        None, ge=1, example=8, says="Maximum open connections to the dependency; not evaluated if not set."
    )
    circuit_breaker: bool = setting(
        True,
        says="Require that a circuit breaker opens: most responses no longer wait for a dependency that stays down.",
    )
    hard: bool = setting(
        False,
        says="No answer can be made without the dependency: while it fails, a request that uses it must get an error, "
        "and a success with other values than the recorded ones is a finding. By default a fallback is required.",
    )
    cached: bool = setting(
        False,
        says="The service may answer from a cache, so complete responses during a fault are right. Otherwise a fault "
        "that affects no response is not evaluated.",
    )
    degraded_field: Text = setting(
        "degraded", says="Response field that is true if the response was made without the dependency."
    )
    reason_field: Text = setting("degraded_reason", says="Response field with the reason why the response is degraded.")
    faults: Faults = setting(
        (), says="Fault scenarios to run; by default all that the dependency's address allows.",
        example=["down", "latency_beyond"],
    )  # fmt: skip
    path: Text | None = setting(
        None, example="/score", says="Path that receives HTTP requests during a fault; by default the prediction path."
    )
    unaffected: List[str] = setting(
        (), says="Paths that do not use the dependency. They are requested during a fault and must meet the objective.",
        example=["/health"],
    )  # fmt: skip
    rate: float = setting(10.0, gt=0, unit="requests/s", says="Request rate during a fault; choose a moderate one.")
    fault_seconds: float = setting(5.0, gt=0, unit="s", says="Duration of each fault.")
    budget_seconds: float = setting(600.0, gt=0, unit="s", says="Time limit for all fault scenarios of the dependency.")

    @property
    def timeout(self) -> float:
        """The time-out in seconds."""
        return (self.timeout_ms or 0.0) / 1e3

    @property
    def deadline(self) -> float:
        """The deadline in seconds."""
        return (self.deadline_ms or 3 * (self.timeout_ms or 0.0)) / 1e3
