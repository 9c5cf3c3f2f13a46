"""How often does a clean payments service pass the contract check, and how long does it take beside its own requests?

``python tests/bench/bench_contract.py [TIMES]``: trains a model, starts the service once, and asks the whole check
TIMES times (50), each with another seed. The yardstick is the time that the same number of plain requests takes.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "payments")]


def main(times):
    import mlflow.sklearn

    from seatrial import Dependency, Outcome, Pipeline, Policy, capture
    from seatrial.checks.contract import check
    from seatrial.engine import ask, plan, verdict_of
    from seatrial.loading import load_file
    from seatrial.promised import Promised
    from seatrial.targets.http import Http
    from seatrial.targets.live import Live, serve, target_of
    from seatrial.trial import Trial

    example = ROOT / "examples" / "payments"
    train, serving, learnt, traffic, store = (
        load_file(example / f"{n}.py")
        for n in ("train", "pipeline", "payments_model", "payments_traffic", "payments_store")
    )
    with tempfile.TemporaryDirectory() as scratch:
        url, model_path = f"sqlite:///{scratch}/payments.db", f"{scratch}/model"
        store.fill_store(url, traffic.make_customers(), traffic.make_history())
        past = traffic.make_payments(3_000, seed=1)
        model = learnt.fit(train.training_features(past), past["is_fraud"])
        mlflow.sklearn.save_model(
            model, model_path, skops_trusted_types=learnt.TRUSTED, pip_requirements=["scikit-learn"]
        )
        made = serving.pipeline
        pipeline = Pipeline(
            "payments", key=made.key, model=made.model, service=made.service,
            dependencies=[Dependency("store", url, store.FeatureStore)],
            **{name: made.stage(name).function for name in made.stages},
        )  # fmt: skip
        requests = traffic.make_requests(400, seed=2)
        reference = capture(pipeline, requests, model=model)
        policy = Policy.load(ROOT / "expectations", pipeline)
        passed, spent, sent = 0, 0.0, 0
        with serve(pipeline, model_path=model_path) as running, Http(running.url) as http:
            document = http.send(path="/openapi.json", method="GET").json()
            for seed in range(times):
                options = {"policy": policy, "model": model, "model_path": model_path, "seed": seed}
                with Trial(pipeline, reference, promised=Promised("1", document), **options) as trial:
                    here = Live(pipeline.service, running, trial.hold(target_of(pipeline, running)))
                    trial.once("live service", lambda here=here: here)
                    ((_, question),) = plan([check], trial)
                    begin = time.perf_counter()
                    events = ask(check, trial, question)
                    spent += time.perf_counter() - begin
                    verdict = verdict_of(events, trial, [question])
                good = verdict.outcome is Outcome.PASS and not verdict.findings
                passed += good
                sent += sum(int(m.value) for m in verdict.measured if m.unit == "requests")
                if not good:
                    print(f"seed {seed}: {verdict.summary}", *(f.message for f in verdict.findings), sep="\n  ")
            bodies = [json.loads(text) for text in requests["payload"]]
            begin = time.perf_counter()
            http.send_all([bodies[n % len(bodies)] for n in range(min(sent, 5_000))], path="/score")
            plain = (time.perf_counter() - begin) * sent / min(sent, 5_000)
    print(f"passed without a remark: {passed} of {times}")
    print(f"{sent / times:.0f} requests and {spent / times:.2f} s a check; plain requests take {plain / times:.2f} s")
    print(f"ratio to plain requests: {spent / plain:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
