"""What ``expectations/service.toml`` declares: one strict model, a class for each table of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import model_validator

from seatrial import plugins
from seatrial.errors import PolicyError, unknown
from seatrial.policy.failures import FailurePolicy, Resilience
from seatrial.policy.load import Load, Slo
from seatrial.policy.refusals import refuse
from seatrial.policy.settings import List, Settings, read_toml, setting, validated
from seatrial.policy.values import OfChecks, Text, Weight

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


class Judgement(Settings):
    """What a verdict needs."""

    optional: List[str] = setting(
        (), example=["load"],
        says="Checks that may stay without a result, such as load on a small machine or quality with few labels: the "
        "verdict names them and can be a pass. A check that crashes, or fails, counts.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _known(self) -> Judgement:
        known = plugins.names("checks")
        if wrong := next((name for name in self.optional if name not in known), None):
            refuse((("optional",), unknown("Check", wrong, known)), value=wrong)
        return self


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
        says="Processor time for making the generated requests, and time for sending them. Fewer than planned are not "
        "evaluated.",
    )  # fmt: skip
    timeout_seconds: float = setting(10.0, gt=0, lt=1_000_000, unit="s", says="Time limit for one response.")


class Stress(Settings):
    """The load and resilience checks together."""

    budget_seconds: float | None = setting(
        None, gt=0, unit="s", example=1800,
        says="Time limit for the load and resilience checks together: first the objective, then a share for each "
        "dependency, then the comparison with the champion and the maximum sustainable rate. By default each check has "
        "its own limit.",
    )  # fmt: skip
    wait_seconds: float = setting(
        3600.0, ge=0, unit="s",
        says="Longest wait for other load and resilience tests of the machine: one at a time is measured. After it, "
        "the checks are not evaluated.",
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
    verdict: Judgement = setting(Judgement(), says="What a pass can do without.")
    golden: Golden = setting(Golden(), says="Comparison of the live service's responses with the recorded ones.")
    contract: Contract = setting(Contract(), says="Checks of the API contract.")
    slo: Slo | None = setting(None, says="The service-level objective. Without it no load test runs.")
    load: Load = setting(Load(), says="The load test.")
    resilience: Resilience = setting(Resilience(), says="Where the service reaches the proxies of its dependencies.")
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
