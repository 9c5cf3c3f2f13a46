"""Integration tests and a promotion gate for machine-learning services."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seatrial.checks.base import Check as Check
    from seatrial.checks.engine import run as run
    from seatrial.errors import SeatrialError as SeatrialError
    from seatrial.events import Finding as Finding
    from seatrial.events import Measurement as Measurement
    from seatrial.events import Outcome as Outcome
    from seatrial.events import Severity as Severity
    from seatrial.events import Subject as Subject
    from seatrial.events import Verdict as Verdict
    from seatrial.parity.agreement.cosine import Cosine as Cosine
    from seatrial.parity.agreement.json import Json as Json
    from seatrial.parity.agreement.text import Text as Text
    from seatrial.parity.agreement.topk import TopK as TopK
    from seatrial.parity.tolerance import Tolerance as Tolerance
    from seatrial.pipeline import Dependency as Dependency
    from seatrial.pipeline import HttpAnswer as HttpAnswer
    from seatrial.pipeline import HttpRequest as HttpRequest
    from seatrial.pipeline import Pipeline as Pipeline
    from seatrial.pipeline import Poll as Poll
    from seatrial.pipeline import Samples as Samples
    from seatrial.pipeline import Service as Service
    from seatrial.pipeline import Stage as Stage
    from seatrial.pipeline import Step as Step
    from seatrial.policy.policy import Policy as Policy
    from seatrial.policy.quality import Quality as Quality
    from seatrial.policy.stages import StagePolicy as StagePolicy
    from seatrial.reference.capture import capture as capture
    from seatrial.reference.snapshot import Reference as Reference
    from seatrial.sinks.base import Sink as Sink
    from seatrial.trial import Trial as Trial

__version__ = "0.1.0"

_HOMES = {
    "errors": ("SeatrialError",),
    "events": ("Finding", "Measurement", "Outcome", "Severity", "Subject", "Verdict"),
    "pipeline": ("Dependency", "HttpAnswer", "HttpRequest", "Pipeline", "Poll", "Samples", "Service", "Stage", "Step"),
    "policy.policy": ("Policy",),
    "policy.quality": ("Quality",),
    "policy.stages": ("StagePolicy",),
    "reference.snapshot": ("Reference",),
    "reference.capture": ("capture",),
    "checks.engine": ("run",),
    "parity.agreement.cosine": ("Cosine",),
    "parity.agreement.json": ("Json",),
    "parity.agreement.text": ("Text",),
    "parity.agreement.topk": ("TopK",),
    "parity.tolerance": ("Tolerance",),
    "checks.base": ("Check",),
    "sinks.base": ("Sink",),
    "trial": ("Trial",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605  the names are the keys above


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: the command line must start before pandas does."""
    if name not in _HOME:
        raise AttributeError(f"module 'seatrial' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(f"seatrial.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
