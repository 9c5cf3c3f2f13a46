"""How often does a clean payments service pass all that is asked over the wire, and what does that cost?

``python tests/bench/bench_clean_service.py [TIMES [FIRST_SEED]]``: trains a model, starts the service once, and TIMES
times (50) captures a reference of other payments and asks golden, contract and environment of the service, with another
seed. A run that does not pass, or passes with a remark, is told; exit code 1 where there is one. The yardstick is the
time that the same number of plain requests takes.
"""

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "payments")]


CHECKS, ROWS = ("golden", "contract", "environment"), 100


def main(times, first):
    import mlflow.sklearn

    from seatrial import Dependency, Outcome, Pipeline, Policy, capture
    from seatrial.checks import named
    from seatrial.checks.engine import plan, run_case, verdict_of
    from seatrial.checks.serving.service import LiveService, serve
    from seatrial.checks.serving.target import target_of
    from seatrial.io.loading import load_file
    from seatrial.pipeline import SERVICE
    from seatrial.reference.champion import ChampionContract
    from seatrial.targets.http import Http
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
        service = replace(made.service, env={**made.service.env, "STORE_SECONDS": "20"})  # a busy machine is no fault
        pipeline = Pipeline(
            "payments", key=made.key, model=made.model, service=service,
            dependencies=[Dependency("store", url, store.FeatureStore)],
            **{name: made.stage(name).function for name in made.stages},
        )  # fmt: skip
        policy = Policy.load(ROOT / "expectations", pipeline)
        passed, spent, sent = 0, 0.0, 0
        with serve(pipeline, model_path=model_path) as running, Http(running.url) as http:
            document = http.send(path="/openapi.json", method="GET").json()
            for seed in range(first, first + times):
                requests = traffic.make_requests(ROWS, seed)
                reference = capture(pipeline, requests, model=model)
                options = {"policy": policy, "model": model, "model_path": model_path, "seed": seed}
                with Trial(pipeline, reference, champion_contract=ChampionContract("1", document), **options) as trial:
                    here = LiveService(pipeline.service, running, trial.hold(target_of(pipeline, running)))
                    trial.once("live service", lambda here=here: here)
                    asked = [(c, q) for c, q in plan(named(CHECKS), trial) if q.stage == SERVICE]
                    begin = time.perf_counter()
                    events = [event for check, case in asked for event in run_case(check, trial, case)]
                    spent += time.perf_counter() - begin
                    verdict = verdict_of(events, trial, [case for _, case in asked])
                good = (
                    verdict.outcome is Outcome.PASS and not verdict.findings and len(verdict.evaluated) == len(CHECKS)
                )
                passed += good
                sent += sum(int(m.value) for m in verdict.measurements if m.unit in ("requests", "rows"))
                if not good:
                    print(f"seed {seed}: {verdict.summary}", *(f.message for f in verdict.findings), sep="\n  ")
                if (seed - first) % 5 == 4:
                    print(f"{seed - first + 1} times, {passed} passed", flush=True)
            bodies = [json.loads(text) for text in requests["payload"]]
            begin = time.perf_counter()
            http.send_all([bodies[n % ROWS] for n in range(min(sent, 5_000))], path="/score")
            plain = (time.perf_counter() - begin) * sent / min(sent, 5_000)
    print(f"passed without a remark: {passed} of {times}")
    print(f"{sent / times:.0f} requests and {spent / times:.2f} s a time; plain requests take {plain / times:.2f} s")
    print(f"ratio to plain requests: {spent / plain:.2f}")
    return int(passed != times)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*given, *(50, 100)[len(given) :]))
