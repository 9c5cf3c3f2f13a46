"""Conformance suites for extensions: call them from your package's own tests.

Each suite holds one extension to what its protocol promises, and raises ``AssertionError`` with a plain sentence::

    from seatrial.testing import check_conforms, sample_trial
    from my_package import check


    def test_the_check_conforms():
        check_conforms(check, sample_trial(), broken=sample_trial(skewed=True))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seatrial.testing.checks import check_conforms as check_conforms
    from seatrial.testing.faults import fault_conforms as fault_conforms
    from seatrial.testing.fixtures import source_conforms as source_conforms
    from seatrial.testing.registration import registered as registered
    from seatrial.testing.registries import registry_conforms as registry_conforms
    from seatrial.testing.runners import runner_conforms as runner_conforms
    from seatrial.testing.samples import sample_pipeline as sample_pipeline
    from seatrial.testing.samples import sample_reference as sample_reference
    from seatrial.testing.samples import sample_requests as sample_requests
    from seatrial.testing.samples import sample_trial as sample_trial
    from seatrial.testing.samples import sample_verdict as sample_verdict
    from seatrial.testing.sinks import sink_conforms as sink_conforms
    from seatrial.testing.targets import target_conforms as target_conforms
    from seatrial.testing.trackers import LoggedRun as LoggedRun
    from seatrial.testing.trackers import tracker_conforms as tracker_conforms

_HOMES = {
    "checks": ("check_conforms",),
    "faults": ("fault_conforms",),
    "fixtures": ("source_conforms",),
    "registration": ("registered",),
    "registries": ("registry_conforms",),
    "runners": ("runner_conforms",),
    "samples": ("sample_pipeline", "sample_reference", "sample_requests", "sample_trial", "sample_verdict"),
    "sinks": ("sink_conforms",),
    "targets": ("target_conforms",),
    "trackers": ("LoggedRun", "tracker_conforms"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605  the names are the keys above


def __getattr__(name: str) -> Any:
    """Import a suite at its first use: pytest loads the plugin beside it at every start."""
    if name not in _HOME:
        raise AttributeError(f"module 'seatrial.testing' has no attribute '{name}'")
    return getattr(import_module(f"seatrial.testing.{_HOME[name]}"), name)
