"""Whether a service refused the client, and not the requests: no credentials, or too many requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from seatrial.checks.serving.requests import ServiceAnswers
from seatrial.checks.serving.service import LiveService, address_of, shown_address
from seatrial.formatting import plural
from seatrial.targets.elsewhere import Elsewhere
from seatrial.targets.pacing import RATE_LIMIT
from seatrial.trial import Trial

CREDENTIALS = (401, 403, 407)


def all_refused(service: LiveService, received: Sequence[ServiceAnswers]) -> str:
    """Return what to do where a service that runs already refused every request for want of credentials, or nothing.

    A service that answers some of the requests knows the client; what it refuses then is its own fault.
    """
    statuses = {status for each in received for status in each.statuses}
    if service.elsewhere is None or not statuses or not statuses <= {*CREDENTIALS}:
        return ""
    if any(each.answers or each.degraded or each.others or each.unreachable for each in received):
        return ""
    refused = sum(len(failure.keys) for each in received for failure in each.failures.values())
    return refusal(service, refused, min(statuses))


def refusal(service: LiveService, refused: int, status: int) -> str:
    """Return what to do where a service that runs already answered none of so many requests, with this status.

    It is the empty string where the service was started here, or the status is not that of missing credentials.
    """
    if service.elsewhere is None or status not in CREDENTIALS:
        return ""
    sent = service.elsewhere.access
    known = f"They carried {', '.join(sorted(sent.headers))}" if sent.headers else "They carried no header of yours"
    return (
        f"The service refuses the client: {plural(refused, 'request')} got status {status}, and none an answer. {known}"
        f"{' and a client certificate' if sent.cert else ''}. Check Service(headers=…), and the variable or file that "
        "it names, with the people who run the service."
    )


def rate_limited(service: LiveService, received: Sequence[ServiceAnswers]) -> str:
    """Return why requests got no answer where the service asked to wait longer than is heeded, or nothing."""
    lost = sum(len(f.keys) for each in received for f in each.failures.values() if f.status == RATE_LIMIT)
    if not lost or service.pace is None:
        return ""
    lost += sum(each.unsent for each in received)
    return (
        f"{plural(lost, 'request')} got no answer, because the service limits their rate (status 429). "
        f"{service.pace.told} Set requests_per_second in [service] of service.toml to what it accepts, or ask for a "
        "higher limit."
    )


def load_refused(trial: Trial) -> str:
    """Return why no load goes to a service that runs already, and what to type, or the empty string."""
    if not address_of(trial):
        return ""
    if not trial.policy.service.service.allow_load:
        return (
            f"No load was sent to {shown_address(trial)}, which was not started here: others may use it. Set "
            "allow_load = true in [service] of service.toml once the people who run it agree."
        )
    return ""


@dataclass(frozen=True)
class NotStarted:
    """A service that runs already, in the place of one that the load check starts: its process is not ours to see."""

    elsewhere: Elsewhere
    pid: int = 0

    @property
    def url(self) -> str:
        """Its address without a path, as that of a started service."""
        return urlunsplit((*urlsplit(self.elsewhere.url)[:2], "", "", ""))

    def ended(self, within_seconds: float = 0.0) -> str | None:
        """Return None: nobody here can tell."""

    def tail(self) -> str:
        """Return the empty string: its log is elsewhere."""
        return ""

    def __enter__(self) -> NotStarted:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it running."""
