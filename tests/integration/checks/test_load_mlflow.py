"""Load through a target: MLflow's own scoring server, without a path that is said for it."""

from seatrial import Policy, capture
from seatrial.checks.engine import plan, run_case
from seatrial.checks.load.check import check
from seatrial.events import Finding, Measurement, NotEvaluated
from seatrial.policy.service import service_settings
from seatrial.trial import Trial
from tests.support import seven


def test_the_answers_of_a_model_server_are_compared_under_load(tmp_path):
    """Every request is answered and every sampled answer is that of the reference: nothing was refused."""
    path, pipeline = seven.save(tmp_path / "model"), seven.pipeline()
    model = seven.load(path)
    reference = capture(pipeline, seven.REQUESTS, model=model)
    settings = {
        "slo": {"limit_ms": 5_000, "rate": 20, "percentile": 0.5},
        "load": {"runs": 1, "requests": 40, "samples": 40, "find_max_rate": False},
    }
    policy = Policy(service=service_settings(settings))
    with Trial(pipeline, reference, policy=policy, model=model, model_path=path) as trial:
        ((planned, case),) = plan([check], trial)
        events = run_case(planned, trial, case)
    measured = {e.name: e.value for e in events if isinstance(e, Measurement)}
    assert (measured["answers compared"], measured["error share"]) == (40, 0)
    assert not [e for e in events if isinstance(e, Finding)]
    assert not [e for e in events if isinstance(e, NotEvaluated) and "path" in e.reason]
