"""What ``expectations/service.toml`` declares: one strict model, a class for each table of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import model_validator

from seatrial.errors import PolicyError
from seatrial.policy.failures import FailurePolicy
from seatrial.policy.refusals import refuse
from seatrial.policy.settings import List, Settings, read_toml, setting, validated
from seatrial.policy.values import Corners, OfChecks, Scheduler, Text, Weight

FILE = "service.toml"
GENERATED = 100


class Promotion(Settings):
    """What a pass changes in the registry, in addition to the alias ``validated``."""

    alias: str = setting("", says="Alias that is moved to a version that passes; empty: none.", example="champion")
    restore: bool = setting(False, says="Move an alias back that was moved by hand to a version without a pass.")


class Calls(Settings):
    """How the service is called."""

    requests_per_second: float | None = setting(
        None, gt=0, unit="requests/s", example=20,
        says="Rate that the service accepts in golden and contract. By default it is found out from status 429.",
    )  # fmt: skip
    concurrency: int = setting(
        8, ge=1, le=64,
        says="Requests under way at once in golden and contract; fewer where the service does not take so many.",
    )  # fmt: skip
    allow_load: bool = setting(
        False, says="Allow the load check on a service that runs already, Service(url=…) or --target."
    )


class Golden(Settings):
    """How responses of the live service are compared with the recorded ones."""

    varying: List[str] = setting(
        (), says="Response fields that vary by nature, such as times and ids. They are not compared.",
        example=["answered_at"],
    )  # fmt: skip
    wide_integers: List[str] = setting(
        (), says="Fields that may hold integers beyond 2^53 as JSON numbers; clients that parse doubles lose digits.",
        example=["customer_id"],
    )  # fmt: skip
    single_requests: int = setting(
        200, ge=1, says="Requests sent one by one if the service also accepts batches; sampled with the seed."
    )
    batch_size: int = setting(100, ge=1, says="Requests per batch.")
    timeout_seconds: float = setting(30.0, gt=0, unit="s", says="Time limit for one response.")
    degraded_field: str = setting(
        "degraded",
        says="Response field that is true if the response was made without a dependency; the request is sent again.",
    )


class Contract(Settings):
    """How the API contract of the live service is checked."""

    silent_changes: Weight = setting(
        "error", says="Severity if a value is changed silently: 1.5 read as 1, a list as its first value, null as a "
        "default.",
    )  # fmt: skip
    coercion: Weight = setting(
        "warning", says='Severity if a value of another type is accepted with its meaning: "1" for 1, true for 1.'
    )
    unknown_fields: Weight = setting(
        "warning", says="Severity if undeclared fields are accepted, including misspelt ones."
    )
    allow: Mapping[str, Text] = setting(
        {}, says="Probes whose findings are information, as the findings describe them or by cause, each with the "
        "reason: a limit of the server that the service cannot mend.",
        example={"lists nested 20,000 deep": "The server parses JSON recursively."},
    )  # fmt: skip
    unknown_changes: Weight = setting("warning", says="Severity of an OpenAPI change that may or may not be breaking.")
    generated_requests: int | None = setting(
        None, ge=0, lt=1_000_000, example=GENERATED,
        says=f"Requests generated from the OpenAPI document; 0: none. By default {GENERATED} if schemathesis is "
        "installed. A value above 0 requires schemathesis.",
    )  # fmt: skip
    generated_seconds: float = setting(
        120.0, gt=0, lt=1_000_000, unit="s",
        says="Time limit for making the generated requests, and again for sending them. Fewer than planned are not "
        "evaluated.",
    )  # fmt: skip
    timeout_seconds: float = setting(10.0, gt=0, lt=1_000_000, unit="s", says="Time limit for one response.")


class Slo(Settings):
    """The service-level objective: ``percentile`` of the responses arrive within ``limit_ms`` at ``rate``."""

    limit_ms: float = setting(
        gt=0, unit="ms", example=250, says="Latency limit, measured from the scheduled send time of a request."
    )
    rate: float = setting(
        gt=0, unit="requests/s", example=10,
        says="Peak rate of the Poisson arrivals. Choose at most half of the service's capacity.",
    )  # fmt: skip
    percentile: float = setting(0.99, gt=0, lt=1, says="Share of the responses that must arrive within the limit.")
    confidence: float = setting(0.99, gt=0, lt=1, says="Confidence level of a pass.")
    path: Text | None = setting(
        None,
        example="/score",
        says="Path that receives the load as JSON; by default requests go where, and as, the target sends its own.",
    )

    @property
    def limit_seconds(self) -> float:
        """The limit in seconds."""
        return self.limit_ms / 1e3


class Load(Settings):
    """The load test. Its size is fixed before the first request."""

    runs: int = setting(
        3,
        ge=1,
        says="Independent runs at most. The first result after one of them ends the test.",
    )
    requests: int | None = setting(
        None, ge=1, example=2000,
        says="Requests per run; by default what budget_seconds holds, and at most what tells 20 % from the limit.",
    )  # fmt: skip
    profile: Corners = setting(
        (), example=[[0, 5], [60, 20]],
        allowed="a list of corners [seconds, requests/s]",
        says="Rate over time: corners [seconds, requests/s], linear between them. It is scaled so that its peak is the "
        "objective's rate, and repeated; a run consists of complete repetitions.",
    )  # fmt: skip
    budget_seconds: float = setting(
        600.0, gt=0, unit="s", says="Time limit for the load check; what does not fit is not evaluated."
    )
    workers: int = setting(
        1, ge=1, says="Processes of the load generator, one CPU core each; with cluster, Dask workers of it."
    )
    cluster: Scheduler | None = setting(
        None, example="tcp://10.0.0.5:8786",
        says="Address of the scheduler of a Dask cluster whose workers send the load, so that it can come from other "
        "machines. Requires seatrial[dask] here and on the workers, and a service that they reach.",
    )  # fmt: skip
    reserve_cores: bool = setting(
        False, says="Reserve one CPU core per worker for the load generator. The service runs on the other cores."
    )
    connections: int = setting(128, ge=1, says="Maximum number of open connections.")
    timeout_seconds: float = setting(
        10.0, gt=0, unit="s", says="Time limit for one response; a later one counts as lost."
    )
    samples: int = setting(200, ge=1, says="Responses per run that are compared with the recorded ones.")
    margin: float | None = setting(
        None, gt=0, example=0.1,
        says="Accepted slowdown against the champion, as a share. If set, the version is compared with the champion.",
    )  # fmt: skip
    pairs: int = setting(
        10, ge=1, says="Interleaved runs of the version and of the champion; fewer if the time budget runs out."
    )
    pair_requests: int | None = setting(
        None, ge=1, example=500,
        says="Requests per interleaved run; by default what the time budget holds for all pairs, at most 1,200.",
    )  # fmt: skip
    find_max_rate: bool = setting(True, says="Search for the maximum sustainable rate in the remaining time.")

    @model_validator(mode="after")
    def _cores_are_here(self) -> Load:
        if self.cluster and self.reserve_cores:
            refuse((("reserve_cores",), "'reserve_cores' is of this machine; with 'cluster' remove it."), value=True)
        return self


class Stress(Settings):
    """The load and resilience checks together."""

    budget_seconds: float | None = setting(
        None, gt=0, unit="s", example=1800,
        says="Time limit for the load and resilience checks together: first the objective, then a share for each "
        "dependency, then the comparison with the champion and the maximum sustainable rate. By default each check has "
        "its own limit.",
    )  # fmt: skip


class Mutation(Settings):
    """What ``seatrial mutate`` must reach with the reference and these expectations."""

    minimum: float = setting(
        0.95, gt=0, le=1, says="Minimum mutation score: share of killed mutants among those that change a response."
    )


class ServiceSettings(Settings):
    """The file expectations/service.toml: what a validation of this service runs, and what must hold."""

    promotion: Promotion = setting(Promotion(), says="What a pass changes in the registry.")
    dependencies: Mapping[str, FailurePolicy] = setting(
        {}, says="One table per dependency of the pipeline, by its name."
    )
    service: Calls = setting(Calls(), says="How the service is called: rate, concurrency, load.")
    golden: Golden = setting(Golden(), says="Comparison of the live service's responses with the recorded ones.")
    contract: Contract = setting(Contract(), says="Checks of the API contract.")
    slo: Slo | None = setting(None, says="The service-level objective. Without it no load test runs.")
    load: Load = setting(Load(), says="The load test.")
    stress: Stress = setting(Stress(), says="Time limit of the load and resilience checks together.")
    mutation: Mutation = setting(Mutation(), says="The mutation test.")
    checks: OfChecks = setting(
        {}, example={"bounds": {"response": {"amount": [0, 100]}}},
        says="Settings of checks from other packages, by the check's name; unknown keys are rejected by each check.",
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
