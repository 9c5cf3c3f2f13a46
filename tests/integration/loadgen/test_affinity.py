"""A generator with a core of its own: it and its workers are on it, the service and its threads are not."""

import os
from pathlib import Path

import pytest

from seatrial.checks.load import runs
from seatrial.checks.load.runs import session_of, start_service
from seatrial.events import Evaluated, Measurement, NotEvaluated
from seatrial.loadgen.affinity import reserve_cores
from seatrial.policy.service import Load, Slo
from tests.integration.checks.test_load import SMALL, run_check, trial

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this platform does not list its cores")
ALL = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
two_cores = pytest.mark.skipif(len(ALL) < 2, reason="one core cannot be shared out")


def cores_of(pid):
    """The cores of each of a process's threads."""
    return [os.sched_getaffinity(int(thread.name)) for thread in Path(f"/proc/{pid}/task").iterdir()]


@two_cores
def test_service_and_generator_share_no_core(monkeypatch):
    """Each is where it belongs while requests are sent; afterwards this thread is where it was."""
    cores, seen, offer_by = reserve_cores(1), [], runs.offer_by

    def watched(*args, **options):
        seen.append((os.sched_getaffinity(0), cores_of(running.pid)))
        return offer_by(*args, **options)

    monkeypatch.setattr(runs, "offer_by", watched)
    made = trial("")
    with start_service(made, None, cores) as running:
        slo = Slo(limit_ms=100, rate=100)
        session_of(made, running, slo, Load(), cores=cores).run(0, 20, 100.0)
    ((generator, service),) = seen
    assert generator == cores.generator
    assert len(generator) == 1
    assert all(each == cores.service for each in service)
    assert generator | cores.service == ALL
    assert not generator & cores.service
    assert os.sched_getaffinity(0) == ALL


@two_cores
def test_the_check_measures_how_many_cores_the_service_had():
    """What was measured on fewer cores says so."""
    events = run_check(
        trial("", slo={"limit_ms": 100, "rate": 100, "percentile": 0.9}, load={**SMALL, "reserve_cores": True})
    )
    assert {e.name: e.value for e in events if isinstance(e, Measurement)}["cores of the service"] == len(ALL) - 1
    (answer,) = [e for e in events if isinstance(e, Evaluated | NotEvaluated)]
    assert isinstance(answer, Evaluated) or any(w in answer.reason for w in ("generator", "settled", "refuted"))
