"""What ``expectations/service.toml`` declares: one strict model, a class for each table of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seatrial.errors import PolicyError
from seatrial.policy.failures import FailurePolicy
from seatrial.policy.settings import List, Settings, read_toml, setting, validated
from seatrial.policy.values import Corners, OfChecks, Text, Weight

FILE = "service.toml"
GENERATED = 100


class Promotion(Settings):
    """What a pass does to the registry besides setting the alias ``validated``."""

    alias: str = setting("", says="Alias that a pass moves to the version; empty for none.", example="champion")
    restore: bool = setting(
        False, says="Whether an alias that was moved by hand to a version without a pass is moved back."
    )


class Golden(Settings):
    """How the live service is compared with the recorded answers."""

    varying: List[str] = setting(
        (), says="Fields of an answer that must vary, such as times and ids. They are not compared.",
        example=["answered_at"],
    )  # fmt: skip
    wide_integers: List[str] = setting(
        (), says="Fields that may carry integers beyond 2^53 as JSON numbers; readers of doubles lose digits.",
        example=["customer_id"],
    )  # fmt: skip
    single_requests: int = setting(
        200, ge=1, says="Requests that are sent one by one where the service takes batches too; drawn with the seed."
    )
    batch_size: int = setting(100, ge=1, says="Requests in one batch.")
    timeout_seconds: float = setting(30.0, gt=0, unit="s", says="Deadline of one answer.")
    degraded_field: str = setting(
        "degraded", says="Field that is true where an answer was made without a dependency; its request is sent again."
    )


class Contract(Settings):
    """How the contract of the live service is evaluated."""

    coercion: Weight = setting(
        "error", says='Severity where a value of another type is accepted silently: "1" for 1, 1.5 for an integer.'
    )
    unknown_fields: Weight = setting(
        "error", says="Severity where a field that is not declared is accepted; a misspelt field is one of them."
    )
    unknown_changes: Weight = setting(
        "warning", says="Severity of a change of the OpenAPI document that may or may not break clients."
    )
    generated_requests: int | None = setting(
        None, ge=0, lt=1_000_000, example=GENERATED,
        says=f"Requests generated from the OpenAPI document, 0 for none. Where it is not set, {GENERATED} if "
        "schemathesis is installed; where it is set, they must be sent.",
    )  # fmt: skip
    generated_seconds: float = setting(
        20.0, gt=0, lt=1_000_000, unit="s", says="Time for all generated requests together."
    )  # fmt: skip
    timeout_seconds: float = setting(10.0, gt=0, lt=1_000_000, unit="s", says="Deadline of one answer.")


class Slo(Settings):
    """The objective under load: ``percentile`` of the answers come within ``limit_ms`` at the highest ``rate``."""

    limit_ms: float = setting(
        gt=0, unit="ms", example=250, says="Limit of the latency, counted from when a request was scheduled."
    )
    rate: float = setting(
        gt=0, unit="requests/s", example=10,
        says="Highest rate of the Poisson arrivals. Choose half of what the service can take, or less.",
    )  # fmt: skip
    percentile: float = setting(0.99, gt=0, lt=1, says="Share of the answers that must come within the limit.")
    confidence: float = setting(0.99, gt=0, lt=1, says="Confidence with which a pass is shown.")
    path: Text | None = setting(None, example="/score", says="Path that is loaded; by default the service's predict.")

    @property
    def limit_seconds(self) -> float:
        """The limit in seconds."""
        return self.limit_ms / 1e3


class Load(Settings):
    """How much load is offered. All of it is fixed before the first request."""

    runs: int | None = setting(
        None, ge=1, example=3, says="Independent runs, all of which must hold; by default what utilisation needs."
    )
    requests: int | None = setting(
        None, ge=1, example=2000, says="Requests of one run; by default what the percentile needs."
    )
    utilisation: float = setting(
        0.5, gt=0, le=0.8,
        says="Share of its capacity at which the service runs under the objective's rate. Beyond 0.8 no number of runs "
        "is enough.",
    )  # fmt: skip
    profile: Corners = setting(
        (), example=[[0, 5], [60, 20]],
        allowed="a list of corners [seconds, requests/s]",
        says="How the rate changes: corners [seconds, requests/s] with straight lines between them. Only its shape "
        "counts: its highest rate becomes the objective's, and a run is a whole number of repetitions.",
    )  # fmt: skip
    budget_seconds: float = setting(
        600.0, gt=0, unit="s", says="Time for the whole check; what does not fit in it is not evaluated."
    )
    workers: int = setting(1, ge=1, says="Processes of the generator that share the schedule, one core each.")
    reserve_cores: bool = setting(
        False, says="Reserve as many cores as there are workers for the generator. The service runs on the others."
    )
    connections: int = setting(128, ge=1, says="Connections open at once.")
    timeout_seconds: float = setting(10.0, gt=0, unit="s", says="After this a request counts as lost.")
    samples: int = setting(200, ge=1, says="Answers of each run that are compared with the recorded ones.")
    margin: float | None = setting(
        None, gt=0, example=0.05,
        says="How much slower than the champion still counts as not slower. The two are compared where it is set.",
    )  # fmt: skip
    pairs: int = setting(10, ge=1, says="Interleaved runs of each of the two; fewer where the budget holds no more.")
    pair_requests: int | None = setting(
        None, ge=1, example=500,
        says="Requests of one such run; by default the fewest that show the percentile with two misses.",
    )  # fmt: skip
    find_max_rate: bool = setting(True, says="Search for the maximum sustainable rate with what is left of the budget.")


class Stress(Settings):
    """Load and resilience together."""

    budget_seconds: float | None = setting(
        None, gt=0, unit="s", example=1800,
        says="Time for load and resilience together: first the objective, then every dependency its share, then "
        "the comparison with the champion and the maximum sustainable rate. By default each has its own budget.",
    )  # fmt: skip


class Mutation(Settings):
    """What ``seatrial mutate`` must reach with the reference and this policy."""

    minimum: float = setting(
        0.95,
        gt=0,
        le=1,
        says="Mutation score: share of the mutants that change an answer which must be killed.",
    )


class ServiceSettings(Settings):
    """The file expectations/service.toml: what a validation of this service does, and what must hold."""

    promotion: Promotion = setting(Promotion(), says="What a pass does to the registry.")
    dependencies: Mapping[str, FailurePolicy] = setting({}, says="By the name of a dependency of the pipeline.")
    golden: Golden = setting(Golden(), says="Comparison of the live service with the recorded answers.")
    contract: Contract = setting(Contract(), says="Evaluation of the service's contract.")
    slo: Slo | None = setting(None, says="The objective under load. Without it the service is not put under load.")
    load: Load = setting(Load(), says="How much load is offered.")
    stress: Stress = setting(Stress(), says="What load and resilience may take together.")
    mutation: Mutation = setting(Mutation(), says="The mutation test.")
    checks: OfChecks = setting(
        {}, example={"bounds": {"response": {"amount": [0, 100]}}},
        says="Settings of checks of other packages, by the check's name; each check reads its own strictly.",
    )  # fmt: skip


def service_settings(values: Mapping[str, Any], file: str | Path = FILE) -> ServiceSettings:
    """Return the content of service.toml as settings.

    Raises:
        PolicyError: naming each wrong setting, what was found, what is allowed, and the nearest name.

    Example:
        >>> service_settings({"slo": {"limit_ms": 250, "rate": 10}}).slo.limit_seconds
        0.25
    """
    return validated(ServiceSettings, values, file, PolicyError)


def read_service(directory: Path) -> ServiceSettings:
    """Read service.toml of a policy; without the file every setting has its default.

    Raises:
        PolicyError: the file cannot be used; the message says why.
    """
    path = directory / FILE
    return service_settings(read_toml(path, PolicyError) if path.is_file() else {}, path)


def promotion(directory: Path) -> Promotion:
    """Read ``[promotion]`` alone: what the rest of the file holds does not matter to an alias.

    Raises:
        PolicyError: the table cannot be used; the message says why.
    """
    path = directory / FILE
    values = read_toml(path, PolicyError) if path.is_file() else {}
    return service_settings({name: table for name, table in values.items() if name == "promotion"}, path).promotion
