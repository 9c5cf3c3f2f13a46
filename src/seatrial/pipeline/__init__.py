"""The path under test: named steps from frame to frame, what they need from outside, and the service around them."""

from seatrial.pipeline.parts import SERVICE, Dependency, Service, Stage, Step
from seatrial.pipeline.path import Pipeline
from seatrial.pipeline.rule import check_keyed, describe, misnamed

__all__ = [
    "SERVICE", "Dependency", "Pipeline", "Service", "Stage", "Step", "check_keyed", "describe", "misnamed",
]  # fmt: skip
