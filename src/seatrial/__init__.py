"""Integration testing for machine-learning services: take every model version to sea before its users do."""

from seatrial.errors import SeatrialError
from seatrial.events import Finding, Measured, Outcome, Severity, Subject, Verdict
from seatrial.pipeline import Dependency, Pipeline, Service, Stage, Step
from seatrial.policy import Policy, Quality, StagePolicy
from seatrial.reference import Reference, capture
from seatrial.run import run
from seatrial.tolerance import Tolerance
from seatrial.trial import Check, Sink, Trial

__version__ = "0.1.0"

__all__ = [
    "Check",
    "Dependency",
    "Finding",
    "Measured",
    "Outcome",
    "Pipeline",
    "Policy",
    "Quality",
    "Reference",
    "SeatrialError",
    "Service",
    "Severity",
    "Sink",
    "Stage",
    "StagePolicy",
    "Step",
    "Subject",
    "Tolerance",
    "Trial",
    "Verdict",
    "capture",
    "run",
]
