"""Conformance suites for extensions: call them from your package's own tests.

Each suite holds one extension to what its protocol promises, and raises ``AssertionError`` with a plain sentence::

    from seatrial.testing import check_conforms, sample_trial
    from my_package import check


    def test_the_check_conforms():
        check_conforms(check, sample_trial(), broken=sample_trial(skewed=True))
"""

from seatrial.testing.checks import check_conforms
from seatrial.testing.faults import fault_conforms
from seatrial.testing.fixtures import source_conforms
from seatrial.testing.registered import registered
from seatrial.testing.registries import registry_conforms
from seatrial.testing.samples import sample_pipeline, sample_reference, sample_requests, sample_trial, sample_verdict
from seatrial.testing.sinks import sink_conforms
from seatrial.testing.targets import target_conforms

__all__ = [
    "check_conforms",
    "fault_conforms",
    "registered",
    "registry_conforms",
    "sample_pipeline",
    "sample_reference",
    "sample_requests",
    "sample_trial",
    "sample_verdict",
    "sink_conforms",
    "source_conforms",
    "target_conforms",
]
