"""What ``expectations/service.toml`` declares of load: the objective in ``[slo]``, its test in ``[load]``."""

from __future__ import annotations

from pydantic import model_validator

from seatrial.policy.refusals import refuse
from seatrial.policy.settings import Settings, setting
from seatrial.policy.values import Corners, Scheduler, Text


class Slo(Settings):
    """The service-level objective: ``percentile`` of the responses arrive within ``limit_ms`` at ``rate``."""

    limit_ms: float = setting(
        gt=0, unit="ms", example=250, says="Latency limit, measured from the scheduled send time of a request."
    )
    rate: float = setting(
        gt=0, unit="requests/s", example=10,
        says="Peak rate of the Poisson arrivals. Choose at most half of the service's capacity.",
    )  # fmt: skip
    first_token_ms: float | None = setting(
        None, gt=0, unit="ms", example=500,
        says="Limit for the first token of a streamed answer, from the scheduled send time; chats are then streamed.",
    )  # fmt: skip
    per_token_ms: float | None = setting(
        None, gt=0, unit="ms", example=50,
        says="Limit for the mean time between the tokens of a streamed answer; chats are then streamed.",
    )  # fmt: skip
    percentile: float = setting(0.99, gt=0, lt=1, says="Share of the responses that must arrive within the limits.")
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

    @property
    def first_seconds(self) -> float | None:
        """The limit of the first token in seconds."""
        return None if self.first_token_ms is None else self.first_token_ms / 1e3

    @property
    def streamed(self) -> bool:
        """Whether a limit of tokens is set, so that answers are streamed."""
        return self.first_token_ms is not None or self.per_token_ms is not None


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
        10.0, gt=0, unit="s",
        says="Time limit for one response, at least limit_ms of [slo]; a later one counts as lost.",
    )  # fmt: skip
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
