"""The payments service over a real PostgreSQL, as the trials and the benchmark of resilience put it under weather."""

import contextlib
import sys
from pathlib import Path
from types import SimpleNamespace

from seatrial import Dependency, Pipeline, Policy, Service, capture
from seatrial.io.loading import load_file
from seatrial.policy.service import service_settings
from seatrial.trial import Trial
from tests.e2e.trials.postgres import postgres
from tests.support.paths import EXAMPLE

SECONDS = 0.6  # that the service waits for the store; generous, for machines that are shared
STORE = {
    "timeout_ms": SECONDS * 1e3,
    "deadline_ms": 2_500.0,
    "recovery_seconds": 10.0,
    "max_connections": 8,
    "unaffected": ["/health"],
    "rate": 10.0,
    "fault_seconds": 2.5,
}


@contextlib.contextmanager
def payments_over_postgres(directory):
    """A filled store, a small model in ``directory``, and the pipeline with a reference captured over that store."""
    import mlflow.sklearn

    names = ["train", "pipeline", "payments_model", "payments_traffic", "payments_store"]
    train, serving, learnt, traffic, store = (load_file(EXAMPLE / f"{name}.py") for name in names)
    past = traffic.make_payments(1_500, seed=1)
    path = str(Path(directory) / "model")
    model = learnt.fit(train.training_features(past), past["is_fraud"])
    mlflow.sklearn.save_model(model, path, skops_trusted_types=learnt.TRUSTED, pip_requirements=["scikit-learn"])
    with postgres() as url:
        store.fill_store(url, traffic.make_customers(), traffic.make_history())
        made = serving.pipeline
        start = [sys.executable, "-m", "uvicorn", "broken_payments:app", "--port", "{port}", "--log-level", "warning"]
        env = {"MODEL_PATH": "{model.path}", "PAYMENTS_STORE_URL": "{store.url}", "STORE_SECONDS": str(SECONDS)}
        pipeline = Pipeline(
            "payments", key=made.key, model=made.model,
            service=Service(command=start, predict="/score", env=env, cwd=Path(__file__).parent),
            dependencies=[Dependency("store", url, serving.FeatureStore, serving.NoStore)],
            **{name: made.stage(name).function for name in made.stages},
        )  # fmt: skip
        reference = capture(pipeline, traffic.make_requests(200, seed=2), model=model)

        def trial(**settings):
            policy = Policy(service=service_settings({"dependencies": {"store": {**STORE, **settings}}}))
            return Trial(pipeline, reference, policy=policy, model=model, model_path=path)

        yield SimpleNamespace(pipeline=pipeline, reference=reference, model=model, path=path, trial=trial)
