"""The validate flow on a real Prefect server, a real registry and a real model."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from seatrial import Finding, Outcome, Sink, Verdict
from seatrial.isolation import launch
from seatrial.orchestration.runner import run_flow
from seatrial.project import Project
from seatrial.promotion.verify import verify
from seatrial.reference.champion import ChampionContract
from seatrial.registry import champion_contract, resolve
from seatrial.registry.mlflow.artifacts import fetch
from seatrial.registry.mlflow.client import client
from tests.support.hash_seeds import replay_in_one

pytestmark = pytest.mark.server


class Recorder(Sink):
    """Records the cases and verdicts of a flow."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self.cases: list[Any] = []

    def planned(self, cases: Any) -> None:
        self.cases = list(cases)

    def verdict(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)


def validated(project: Project, version: int | str, **parameters: Any) -> Verdict:
    recorder, uri = Recorder(), version if isinstance(version, str) else f"models:/payments/{version}"
    run_flow(
        project, "validate", {"model_uri": uri, "project": str(project.root), **parameters}, lambda: "", [recorder]
    )
    return recorder.verdicts[0]


@pytest.fixture(scope="module", autouse=True)
def _one_fresh_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        replay_in_one(patch)
        yield


@pytest.fixture(scope="module")
def passed(payments: Project, prefect_api: str) -> Verdict:
    return validated(payments, 1)


@pytest.fixture(scope="module")
def failed(payments: Project, prefect_api: str, passed: Verdict) -> Verdict:
    return validated(payments, 2)


def runs_of(uri: str) -> list[Any]:
    """Return the flow runs of a version, the newest first."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as prefect:
        runs = prefect.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=200)
    return [run for run in runs if run.parameters.get("model_uri") == uri]


def test_a_good_version_passes_every_case(passed: Verdict) -> None:
    """Version 1 matches the reference at every stage, and every check was really run."""
    assert passed.outcome is Outcome.PASS, passed.to_json()
    assert {j.check for j in passed.evaluated} >= {"expectations", "golden", "invariants", "quality"}
    assert all(j.compared > 0 for j in passed.evaluated)


def test_the_evidence_says_where_the_stages_ran(payments: Project, passed: Verdict) -> None:
    """And what kept them apart from the judge."""
    assert passed.outcome is Outcome.PASS
    where = json.loads((payments.state / "reports" / "payments-1" / "latest" / "worker.json").read_text())
    assert where["isolation"] == launch.strongest()
    assert where["environment"]["libraries"]["pandas"]


def test_editing_pipeline_or_service_after_the_pass_is_a_no(payments: Project, passed: Verdict) -> None:
    """Verify names the file; back as it was, the version is a yes, and the evidence in the registry is as signed."""
    folder = payments.pipeline_file.parent
    assert passed.subject.code_digest.startswith("sha256:")
    assert verify(payments.root, "models:/payments/1").allowed
    for file in (folder / "pipeline.py", folder / "service.py"):
        before = file.read_text()
        file.write_text(before + "\n# edited after the pass\n")
        try:
            found = verify(payments.root, "models:/payments/1")
        finally:
            file.write_text(before)
        assert found.exit_code == 1
        assert f"{folder.name}/{file.name} changed" in found.reason
    assert verify(payments.root, "models:/payments/1").allowed


def test_a_skewed_version_fails_at_the_origin_of_the_skew(failed: Verdict) -> None:
    """Version 2 was trained on another hour: found at features, column hour; everything after it is downstream."""
    assert failed.outcome is Outcome.FAIL
    assert failed.first_failing_stage == "features"
    origins = [f for f in failed.errors if not f.downstream]
    assert {(f.stage, f.column) for f in origins} == {("features", "hour")}
    assert {f.stage for f in failed.errors if f.downstream} >= {"prediction", "response"}


def test_a_pass_is_on_the_version_and_moves_its_aliases(passed: Verdict, failed: Verdict) -> None:
    """The tags name verdict, run and digests; only the passing version carries an alias."""
    registry = client()
    good, bad = (registry.get_model_version("payments", n) for n in ("1", "2"))
    assert good.tags["seatrial.verdict"] == "pass"
    assert bad.tags["seatrial.verdict"] == "fail"
    assert good.tags["seatrial.subject_digest"] == passed.subject.digest
    assert good.tags["seatrial.policy_digest"] == passed.policy_digest
    assert sorted(good.aliases) == ["champion", "validated"]
    assert list(bad.aliases) == []


def test_part_of_a_validation_leaves_no_verdict_on_the_version(payments: Project, failed: Verdict) -> None:
    """With the check it passes alone, the bad version passes, and neither its tag nor any alias shows it."""
    part = validated(payments, 2, only=["environment"])
    assert part.outcome is Outcome.PASS
    version = client().get_model_version("payments", "2")
    assert version.tags["seatrial.verdict"] == "fail"
    assert list(version.aliases) == []


def test_the_description_says_it(failed: Verdict) -> None:
    """The version page shows the finding."""
    assert "hour" in client().get_model_version("payments", "2").description


def test_the_verdicts_run_holds_all_of_it(failed: Verdict) -> None:
    """A failed verdict is logged whole before the flow fails: numbers, parameters, dataset and files."""
    registry = client()
    run = registry.get_run(registry.get_model_version("payments", "2").tags["seatrial.run_id"])
    experiment = registry.get_experiment(run.info.experiment_id)
    assert experiment.name == "seatrial/payments"
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert experiment.tags["mlflow.note.content"].startswith("seatrial: ")  # of the newest run
    assert run.info.run_name == "fail · payments 2 · features.hour"
    assert run.data.tags["seatrial"] == "fail · features.hour"
    assert run.data.tags["seatrial.stage"] == "features"
    assert [model.model_id for model in run.inputs.model_inputs]
    assert run.info.status == "FAILED"
    assert run.data.metrics["expectations/features/hour/mismatch_share"] > 0.5
    assert run.data.params["reference_digest"] == failed.reference_digest
    assert [d.dataset.name for d in run.inputs.dataset_inputs] == ["payments reference"]
    files = {a.path for a in registry.list_artifacts(run.info.run_id)}
    assert files >= {"report.html", "junit.xml", "verdict.json", "suites"}


def test_prefect_shows_what_failed(failed: Verdict) -> None:
    """The flow run is Failed with the reason, its failing tasks are red and named for a person."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    run = next(r for r in runs_of("models:/payments/2") if not r.parameters.get("only"))
    assert run.state_name == "Failed"
    assert run.name == "fail · payments 2 · features.hour"
    assert set(run.tags) >= {"payments", "fail"}
    assert "features" in run.state.message
    assert "hour" in run.state.message
    with get_client(sync_client=True) as prefect:
        tasks = {t.name: t.state_name for t in prefect.read_task_runs(limit=200) if t.flow_run_id == run.id}
        artifacts = {a.key: a for a in prefect.read_artifacts() if a.flow_run_id == run.id}
        mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
        pages = [prefect.read_logs(mine, limit=200, offset=offset) for offset in (0, 200, 400)]
        logs = [(log.level, log.message) for page in pages for log in page]
    assert tasks["features · expectations"] == "Failed"
    assert tasks["raw · expectations"] == "Completed"
    assert "hour" in artifacts["verdict-payments"].data
    assert "hour" in artifacts["findings-payments"].data
    told = "\n".join(message for _, message in logs)
    assert "features · expectations: started" in told
    assert "What to do: " in next(
        m for level, m in logs if level == logging.ERROR and m.startswith("features · hour: ")
    )
    assert "seatrial show models:/payments/2 " in told
    assert "To open them, start: " in told


def test_a_passing_run_is_completed(passed: Verdict) -> None:
    """Green means pass, and nothing else is green."""
    ended = {(r.state_name, r.state.message.split(":")[0]) for r in runs_of("models:/payments/1")}
    assert ("Completed", "pass") in ended
    assert all((name == "Completed") == (told == "pass") for name, told in ended)


def test_the_champion_contract_is_compared_with_the_next_version(payments: Project, passed: Verdict) -> None:
    """A field renamed and a probability in percent since version 1 was promoted: the schema and the meaning tell."""
    folder = payments.pipeline_file.parent
    broken = {
        folder / "service.py": [
            ("    reasons: list[str]", '    reasons: list[str] = Field(serialization_alias="grounds")'),
            ("ge=0, le=1,", "ge=0, le=100,"),
        ],
        folder / "pipeline.py": [('frame["probability"].round(4)', '(frame["probability"] * 100).round(4)')],
    }
    before = {file: file.read_text() for file in broken}
    for file, changes in broken.items():
        for old, new in changes:
            assert old in file.read_text()
            file.write_text(file.read_text().replace(old, new))
    try:
        verdict = validated(payments, 2, only=["contract"])
    finally:
        for file, text in before.items():
            file.write_text(text)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.first_failing_stage == "service"
    found = {(f.check, f.stage, f.column, f.cause): f.message for f in verdict.errors}
    renamed = found["contract", "service", "reasons", "openapi-renamed"]
    assert "This breaks readers of its answers" in renamed
    percent = found["contract", "service", "probability", "scale"]
    assert "compared with the champion's recorded answers" in percent
    compared = {m.name: m.value for m in verdict.measurements}
    assert compared["openapi operations compared"] == 3
    assert compared["answers compared with the champion"] == 700


def test_a_champion_without_an_openapi_is_reported(payments: Project, passed: Verdict) -> None:
    """Where none was stored with its verdict, or it is not OpenAPI, the reason is a sentence."""
    registry = client()
    run_id = registry.get_model_version("payments", "1").tags["seatrial.run_id"]
    there = champion_contract(resolve("models:/payments/2"), "champion", payments.state / "promised")
    assert there is not None
    assert there.openapi is not None
    assert (there.version, there.reason) == ("1", "")
    registry.log_text(run_id, "{}", "openapi.json")
    try:
        broken = champion_contract(resolve("models:/payments/1"), "champion", payments.state / "promised")
    finally:
        registry.log_text(run_id, json.dumps(there.openapi), "openapi.json")
    assert broken == ChampionContract("1", None, "the stored one is no OpenAPI 3 document")
    assert champion_contract(resolve("models:/payments/1"), "nobody", payments.state / "promised") is None


def register_hostile(payments: Project) -> str:
    """Register payments 1 as another model whose file runs code when it is read; return its URI."""
    registry = client()
    good = registry.get_model_version("payments", "1")
    run = registry.create_run(registry.create_experiment("hostile"))
    reference = registry.download_artifacts(good.run_id, "seatrial/reference", dst_path=str(payments.state))
    registry.log_artifacts(run.info.run_id, reference, "seatrial/reference")
    digest = registry.get_run(good.run_id).data.tags["seatrial.reference_digest"]
    registry.set_tag(run.info.run_id, "seatrial.reference_digest", digest)
    model = fetch(resolve("models:/payments/1"), payments.state / "hostile")
    about = yaml.safe_load((model / "MLmodel").read_text())
    about["flavors"]["sklearn"] |= {"pickled_model": "model.pkl", "serialization_format": "pickle"}
    (model / "MLmodel").write_text(yaml.safe_dump(about))
    (model / "model.pkl").write_bytes(b"cos\nsystem\n(S'kill -9 $PPID'\ntR.")
    registry.log_artifacts(run.info.run_id, str(model), "model")
    registry.set_terminated(run.info.run_id)
    registry.create_registered_model("hostile")
    source = f"{registry.get_run(run.info.run_id).info.artifact_uri}/model"
    return f"models:/hostile/{registry.create_model_version('hostile', source, run.info.run_id).version}"


def test_a_model_that_kills_gets_the_verdict_error(payments: Project, passed: Verdict) -> None:
    """The worker lives, the version has the verdict with its reason and no alias, and the next version runs."""
    code = payments.pipeline_file.with_name("payments_model.py")
    ours = code.read_text()
    mlflows = ours.replace("import skops.io", "import mlflow.sklearn").replace(
        'skops.io.load(Path(path) / "model.skops", trusted=TRUSTED)', "mlflow.sklearn.load_model(path)"
    )
    assert mlflows != ours
    try:
        code.write_text(mlflows)
        verdict = validated(payments, register_hostile(payments))
    finally:
        code.write_text(ours)
    assert verdict.outcome is Outcome.ERROR
    assert "The process that runs the model" in verdict.summary
    version = client().get_model_version("hostile", "1")
    assert version.tags["seatrial.verdict"] == "error"
    assert list(version.aliases) == []
    run = runs_of("models:/hostile/1")[0]
    assert (run.state_name, run.state.message) == ("Failed", f"verdict {verdict.summary}")
    assert validated(payments, 1, only=["expectations"], in_process=True).outcome is Outcome.PASS


def test_a_stale_store_is_found_at_the_store(
    payments: Project, passed: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queried again, a store that now answers differently is named as the origin, not the stage after it."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(f"sqlite:///{payments.root / 'payments.db'}")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE customers SET chargebacks = chargebacks + 1"))
    try:
        verdict = validated(payments, 1, only=["expectations"], live=["store"])
    finally:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("UPDATE customers SET chargebacks = chargebacks - 1"))
    assert verdict.first_failing_stage == "store"
    assert [(f.stage, f.column) for f in verdict.errors if isinstance(f, Finding)] == [("store", "chargebacks")]
