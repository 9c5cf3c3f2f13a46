"""Every version has one verdict and no alias is unauthorised, whoever dies or interferes meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from functools import partial

import psutil
import pytest
from mlflow.exceptions import MlflowException

from seatrial import registry
from seatrial.events import Outcome
from seatrial.ledger import ATTEMPTS, JOB, Ledger
from seatrial.process import crash_points
from seatrial.promotion import effects, reconcile
from seatrial.promotion.aliases import check_aliases
from seatrial.registry.mlflow.client import client as mlflow_client
from tests.e2e.trials import aftermath, chaos
from tests.support import waiting

pytestmark = pytest.mark.server
SEED = 5
PATIENCE_SECONDS = 400.0
until = partial(waiting.until, seconds=PATIENCE_SECONDS, every=0.1)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = chaos.make(tmp_path_factory.mktemp("chaos"))
    url, server = chaos.mlflow_server(made)
    before = dict(os.environ)
    os.environ.update({"MLFLOW_TRACKING_URI": url, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"})
    os.environ.pop("_MLFLOW_SERVER_ARTIFACT_ROOT", None)
    server.start().wait()
    made.activate()
    yield made, url, server
    server.kill()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def worker(project):
    """Start a worker in a process of its own that has everything imported; it is gone after the test."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(chaos.PRELOADED)
    started = []

    def start(crash_at="", **how):
        environ = {"MLFLOW_TRACKING_URI": project[1], "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
        process = context.Process(
            target=chaos.rounds, args=(str(project[0].root), environ, crash_at), kwargs=how, daemon=True
        )
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


def by_hand(made, name, **how):
    """Register a version and validate it as a person would; return its number."""
    number = chaos.register(made, name=name, **how)
    chaos.validated(made, f"models:/{name}/{number}")
    return number


def aliases(name):
    return {a: str(n) for a, n in mlflow_client().get_registered_model(name).aliases.items()}


def test_a_person_asks_and_everything_is_told_at_once(project):
    """Each time is a verdict and a run of its own; the page shows the last one and keeps what people wrote."""
    made = project[0]
    number = by_hand(made, "tiny-hand")
    client = mlflow_client()
    said = client.get_model_version("tiny-hand", number).description
    client.update_model_version("tiny-hand", number, f"Ours.\n\n{said}\n\nAlso ours.")
    chaos.validated(made, f"models:/tiny-hand/{number}")
    with Ledger.of(made.state) as ledger:
        assert [(k.outcome, k.epoch) for k in ledger.verdicts("tiny-hand")] == [(Outcome.PASS, 0), (Outcome.PASS, 1)]
        assert ledger.pending_effects() == []
    experiment = client.get_experiment_by_name("seatrial/tiny-hand")
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time DESC"])
    assert [r.info.status for r in runs] == ["FINISHED", "FINISHED"]
    version = client.get_model_version("tiny-hand", number)
    assert version.tags["seatrial.run_id"] == runs[0].info.run_id
    assert version.description.startswith("Ours.\n\n")
    assert version.description.endswith("\n\nAlso ours.")
    assert version.description.count("seatrial: pass") == version.description.count("seatrial: end") == 1
    assert aliases("tiny-hand") == {"validated": number, "champion": number}


def test_a_later_pass_keeps_the_alias(project):
    """An older version that passes afterwards, also asked by hand, does not take it; one that fails takes nothing."""
    made = project[0]
    first = chaos.register(made, name="tiny-late")
    second, third = by_hand(made, "tiny-late"), by_hand(made, "tiny-late", good=False)
    chaos.validated(made, f"models:/tiny-late/{first}")
    assert aliases("tiny-late") == {"validated": second, "champion": second}
    assert mlflow_client().get_model_version("tiny-late", third).tags["seatrial.verdict"] == "fail"


def test_an_alias_moved_by_hand_is_found_and_put_back(project):
    """On a version that failed, or that has no verdict: reported each time, moved only where the policy says so."""
    made = project[0]
    good, bad = by_hand(made, "tiny-stray"), by_hand(made, "tiny-stray", good=False)
    not_evaluated = chaos.register(made, name="tiny-stray")
    policy = made.expectations / "service.toml"
    written = policy.read_text(encoding="utf-8")
    with Ledger.of(made.state) as ledger:

        def unauthorised():
            return [s for s in check_aliases(ledger, made, hashing=True) if s.model == "tiny-stray"]

        assert unauthorised() == []
        mlflow_client().set_registered_model_alias("tiny-stray", "champion", bad)
        assert [(s.alias, s.number, s.reason, s.restored_to) for s in unauthorised()] == [
            ("champion", bad, "its verdict is fail", "")
        ]
        assert aliases("tiny-stray")["champion"] == bad
        mlflow_client().set_registered_model_alias("tiny-stray", "champion", not_evaluated)
        policy.write_text(written + "restore = true\n", encoding="utf-8")
        try:
            assert [(s.reason, s.restored_to) for s in unauthorised()] == [("it has no verdict", good)]
        finally:
            policy.write_text(written, encoding="utf-8")
        assert unauthorised() == []
    assert aliases("tiny-stray") == {"validated": good, "champion": good}


def test_files_that_changed_after_the_verdict_move_no_alias(project):
    """Overwritten between verdict and promotion: hashed again, nothing is promoted; overwritten later: found."""
    made = project[0]
    number = chaos.register(made, name="tiny-swapped")
    client = mlflow_client()
    version = registry.resolve(f"models:/tiny-swapped/{number}")

    def overwrite(weight):
        (made.root / "weight.json").write_text(weight, encoding="utf-8")
        client.log_artifact(version.run_id, str(made.root / "weight.json"), "model")

    with Ledger.of(made.state) as ledger:
        token = JOB.set(ledger.claim_version(version, "the one who runs it"))
        try:
            chaos.validated(made, version.uri)
        finally:
            JOB.reset(token)
        overwrite("4.0")
        assert any("changed after their validation" in words for words in effects.apply(ledger, made.state))
        assert ledger.pending_effects() == []
        assert aliases("tiny-swapped") == {}
        overwrite("2.0")
        chaos.validated(made, version.uri)
        assert aliases("tiny-swapped") == {"validated": number, "champion": number}
        overwrite("4.0")
        found = [s.reason for s in check_aliases(ledger, made, hashing=True) if s.model == "tiny-swapped"]
        assert set(found) == {"its files are not the files that passed"}


def test_what_cannot_be_validated_gets_the_verdict_error(project):
    """A version without a reference is tried as often as the ledger says; registry trouble does not count."""
    made = project[0]
    client = mlflow_client()
    client.create_registered_model("tiny-bare")
    run = client.create_run("0")
    client.log_artifact(run.info.run_id, str(made.root / "pyproject.toml"), "model")
    client.create_model_version("tiny-bare", f"{run.info.artifact_uri}/model", run.info.run_id)
    with Ledger.of(made.state) as ledger:
        ledger.observe(registry.named("models").changed_since(model="tiny-bare"))
        for words in (*["will be tried again"] * (ATTEMPTS - 1), "has the verdict error"):
            (job,) = reconcile.jobs(ledger, 1)
            assert words in reconcile.attempt(ledger, made, job, lambda job: chaos.validated(made, job.uri))
            ledger.offset_seconds += 400
        assert [k.outcome for k in ledger.verdicts("tiny-bare")] == [Outcome.ERROR]
        assert effects.apply(ledger, made.state) == []
    version = client.get_model_version("tiny-bare", "1")
    assert version.tags["seatrial.verdict"] == "error"
    assert "carries no reference" in version.description.replace("\\", "")


def test_trouble_that_leaves_no_verdict(project, monkeypatch):
    """A policy that changes meanwhile, a registry that goes away: the job stays open; the latter costs no attempt."""
    made = project[0]
    number = chaos.register(made, name="tiny-trouble")

    def changes(job):
        monkeypatch.setattr("seatrial.promotion.commit.policy_digest", lambda _: "sha256:of-another-policy")
        chaos.validated(made, job.uri)

    def goes_away(job):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        chaos.validated(made, job.uri)

    with Ledger.of(made.state) as ledger:
        ledger.observe(registry.named("models").changed_since(model="tiny-trouble"))
        (job,) = reconcile.jobs(ledger, 1)
        assert "changed while" in reconcile.attempt(ledger, made, job, changes)
        monkeypatch.undo()
        ledger.offset_seconds += 400
        (job,) = reconcile.jobs(ledger, 1)
        assert job.attempt == 2
        assert "will be tried again" in reconcile.attempt(ledger, made, job, goes_away)
        monkeypatch.undo()
        ledger.offset_seconds += 400
        (job,) = reconcile.jobs(ledger, 1)
        assert job.attempt == 2
        assert ledger.verdicts("tiny-trouble") == []
        assert reconcile.attempt(ledger, made, job, lambda job: chaos.validated(made, job.uri)).endswith(": pass.")
        assert "another worker has claimed it" in reconcile.attempt(
            ledger, made, job, lambda job: chaos.validated(made, job.uri)
        )
        assert [k.number for k in ledger.verdicts("tiny-trouble")] == [number]
        mlflow_client().delete_model_version("tiny-trouble", number)
        assert effects.apply(ledger, made.state)
        assert ledger.pending_effects() == []


def test_every_version_has_one_verdict_wherever_its_worker_dies(project, worker):
    """A worker dies at each marked line, one is stopped past its lease, MLflow is killed; two more finish the rest."""
    made, _, server = project
    dice = random.Random(SEED)
    expected = {}

    def one_more():
        good = dice.random() < 0.6
        expected[chaos.register(made, good=good)] = "pass" if good else "fail"

    expected[chaos.register(made)] = "pass"
    for place in dice.sample(crash_points.POINTS, len(crash_points.POINTS)):
        one_more()
        dying = worker(place)
        dying.join(PATIENCE_SECONDS)
        assert dying.exitcode == -signal.SIGKILL, f"nobody died {place}"
        assert aftermath.unauthorised_aliases(made) == [], place
    one_more()
    stopped = worker(stops=True)
    until(lambda: psutil.Process(stopped.pid).status() == psutil.STATUS_STOPPED, "nobody stopped in a trial")
    others = [worker(), worker()]
    with Ledger.of(made.state) as ledger:
        one_more()
        server.kill()
        server.start().wait()
        one_more()
        until(
            lambda: aftermath.settled(ledger, len(expected)), lambda: f"{ledger.open_jobs()} {ledger.pending_effects()}"
        )
        assert all(o.is_alive() for o in others)
        os.kill(stopped.pid, signal.SIGCONT)
        until((made.root / chaos.WOKEN).is_file, "the one who was woken did not end its trial")
        assert (made.root / chaos.WOKEN).read_text() == "Fenced"
        until(lambda: aftermath.settled(ledger, len(expected)), "the one who was woken undid something")
    assert aftermath.wrong(made, expected) == []


def deleted(name):
    """Delete a model; False where MLflow could not, because the worker tagged its version at that moment."""
    try:
        mlflow_client().delete_registered_model(name)
    except MlflowException as error:
        if "FOREIGN KEY" not in str(error):
            raise
        return False
    return True


def test_recreated_under_the_same_number_it_gets_a_verdict_of_its_own(project, worker):
    """A model that passed is deleted; another one of the same name and number fails, and the pass is not reused."""
    made = project[0]
    worker()
    assert chaos.register(made, name="tiny-again") == "1"
    with Ledger.of(made.state) as ledger:
        until(lambda: len(ledger.verdicts("tiny-again")) == 1 and not ledger.pending_effects(), "no first verdict")
        until(lambda: deleted("tiny-again"), "the registry did not delete the model")
        assert chaos.register(made, name="tiny-again", good=False) == "1"
        until(lambda: len(ledger.verdicts("tiny-again")) == 2 and not ledger.pending_effects(), "no second verdict")
        assert [k.outcome.value for k in ledger.verdicts("tiny-again")] == ["pass", "fail"]
    again = mlflow_client().get_model_version("tiny-again", "1")
    assert again.tags["seatrial.verdict"] == "fail"
    assert list(again.aliases) == []
