"""What a failure of a dependency may cost, as [dependencies.<name>] of service.toml declares it."""

from __future__ import annotations

from seatrial.policy.settings import List, Settings, setting
from seatrial.policy.values import Faults, Text


class FailurePolicy(Settings):
    """What a failure of the dependency may cost. Fault scenarios run where ``timeout_ms`` is set."""

    live: bool = setting(False, says="Query the dependency itself in every validation, besides its recorded answers.")
    timeout_ms: float | None = setting(
        None, gt=0, unit="ms", example=300, says="How long the service waits for an answer of the dependency."
    )
    deadline_ms: float | None = setting(
        None, gt=0, unit="ms", example=1500,
        says="Within this every answer comes while the dependency is broken; by default three times timeout_ms.",
    )  # fmt: skip
    recovery_seconds: float = setting(
        10.0, gt=0, unit="s", says="Within this after the fault has ended answers are complete again, under load."
    )
    max_amplification: float = setting(
        1.2, gt=0, says="Calls of the dependency for each request, at most, within any second."
    )
    max_connections: int | None = setting(
        None, ge=1, example=8, says="Connections open to the dependency at most; not evaluated where it is not set."
    )
    circuit_breaker: bool = setting(
        True, says="Whether most answers must no longer wait for a dependency that stays broken."
    )
    degraded_field: Text = setting(
        "degraded", says="Field of an answer that is true where the answer was made without the dependency."
    )
    reason_field: Text = setting("degraded_reason", says="Field of an answer that says why it is degraded.")
    faults: Faults = setting(
        (), says="Fault scenarios to run; all that the dependency's address allows where it is not set.",
        example=["down", "latency_beyond"],
    )  # fmt: skip
    path: Text | None = setting(
        None, example="/score", says="Path that is loaded over HTTP meanwhile; by default the service's predict."
    )
    unaffected: List[str] = setting(
        (), says="Paths that do not use the dependency. They are read meanwhile and must keep their objective.",
        example=["/health"],
    )  # fmt: skip
    rate: float = setting(10.0, gt=0, unit="requests/s", says="Moderate load that is offered meanwhile.")
    fault_seconds: float = setting(5.0, gt=0, unit="s", says="How long each fault lasts.")
    budget_seconds: float = setting(600.0, gt=0, unit="s", says="Time for all fault scenarios of the dependency.")

    @property
    def timeout(self) -> float:
        """The time-out in seconds."""
        return (self.timeout_ms or 0.0) / 1e3

    @property
    def deadline(self) -> float:
        """The deadline in seconds."""
        return (self.deadline_ms or 3 * (self.timeout_ms or 0.0)) / 1e3
