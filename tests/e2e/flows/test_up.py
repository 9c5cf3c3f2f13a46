"""``seatrial up`` as a user runs it: four servers, versions registered elsewhere with plain MLflow, its end."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
import pytest

from seatrial.cli.app import main
from seatrial.orchestration.flow_files import packaged
from seatrial.promotion.triggers.mlflow import PATH
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.server
FOREIGN = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_RUN_ID",
    "PREFECT_API_URL",
    "PREFECT_HOME",
    "_MLFLOW_SERVER_ARTIFACT_ROOT",
)
wait = partial(until, seconds=600, every=0.2)  # a busy machine takes ten times as long as an idle one


def asked(method: str, url: str, **options: Any) -> httpx.Response:
    """Return the answer; Prefect waits up to 60 s for its SQLite, and says 503 where one should ask again."""

    def answer() -> httpx.Response | None:
        found = httpx.request(method, url, timeout=90, verify=False, **options)  # or it reads all authorities
        return None if found.status_code == httpx.codes.SERVICE_UNAVAILABLE else found.raise_for_status()

    return cast(httpx.Response, wait(answer))


@dataclass
class Up:
    """A running ``seatrial up``."""

    root: Path
    process: subprocess.Popen[bytes]
    ports: dict[str, int]

    @property
    def mlflow(self) -> str:
        return f"http://127.0.0.1:{self.ports['mlflow']}"

    @property
    def prefect(self) -> str:
        return f"http://127.0.0.1:{self.ports['prefect']}"

    def environ(self) -> dict[str, str]:
        return clean() | {"MLFLOW_TRACKING_URI": self.mlflow}

    def register(self, *words: str) -> str:
        """Register a version from a process that knows MLflow's address and nothing else; return its number."""
        train = [sys.executable, "train.py", *words]
        done = subprocess.run(train, cwd=self.root, env=self.environ(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    def version(self, number: str) -> dict[str, Any]:
        page = f"{self.mlflow}/api/2.0/mlflow/model-versions/get"
        found: dict[str, Any] = asked("GET", page, params={"name": "tiny", "version": number}).json()["model_version"]
        return found | {"tags": {t["key"]: t["value"] for t in found.get("tags", [])}}

    def runs(self, flow: str) -> list[dict[str, Any]]:
        body = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_DESC"}
        return list(asked("POST", f"{self.prefect}/api/flow_runs/filter", json=body).json())

    def deployments(self) -> list[dict[str, Any]]:
        return list(asked("POST", f"{self.prefect}/api/deployments/filter", json={}).json())

    def schedule(self, *, on: bool) -> None:
        """Let the schedule reconcile, or not."""
        (minute,) = (d for d in self.deployments() if d["name"] == "tiny-every-minute")
        asked("PATCH", f"{self.prefect}/api/deployments/{minute['id']}", json={"paused": not on})

    def verdict(self, number: str) -> dict[str, Any]:
        """Return the version once its page says everything: tags, description and, on a pass, aliases."""

        def evaluated() -> dict[str, Any] | None:
            found = self.version(number)
            told = "seatrial.verdict" in found["tags"] and found.get("description")
            return (
                found
                if told and (found["tags"]["seatrial.verdict"] != "pass" or "champion" in aliases(found))
                else None
            )

        return wait(evaluated, lambda: self.log("worker"))

    def log(self, name: str) -> str:
        return (self.root / ".seatrial" / "logs" / f"{name}.log").read_text(errors="replace")[-4000:]


def aliases(version: dict[str, Any]) -> set[str]:
    return {a if isinstance(a, str) else a["alias"] for a in version.get("aliases", [])}


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in FOREIGN}


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project, without a copy of any flow; its own schedule reconciles every twenty seconds."""
    root = tmp_path_factory.mktemp("up") / "tiny"
    shutil.copytree(Path(__file__).with_name("tiny"), root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "deployments").mkdir()
    shutil.copy(packaged() / "deployments" / "prefect.yaml", root / "deployments")
    file = root / "deployments" / "prefect.yaml"
    assert "interval: 60" in file.read_text()
    file.write_text(file.read_text().replace("interval: 60", "interval: 20"))
    return root


def start(root: Path) -> Up:
    ports = {name: free_port() for name in ("mlflow", "prefect", "receiver")}
    words = [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
    command = [sys.executable, "-m", "seatrial", "up", "--project", str(root), *words]
    with (root / "up.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=clean())
    return Up(root, process, ports)


@pytest.fixture(scope="module")
def up(project: Path) -> Iterator[Up]:
    running = start(project)

    def ready() -> bool:
        assert running.process.poll() is None, (project / "up.log").read_text()
        return "Ctrl-C" in (project / "up.log").read_text()

    try:
        wait(ready, (project / "up.log").read_text)
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGINT)
            running.process.wait(60)


@pytest.fixture(scope="module")
def passed(up: Up) -> dict[str, Any]:
    """Version 1, found by its webhook alone."""
    up.schedule(on=False)
    assert up.register() == "1"
    return up.verdict("1")


@pytest.fixture(scope="module")
def failed(up: Up, passed: dict[str, Any]) -> dict[str, Any]:
    """Version 2, whose webhook is lost, found by the schedule."""
    registry = f"{up.mlflow}/api/2.0/mlflow/webhooks"
    (hook,) = asked("GET", registry).json()["webhooks"]
    assert hook["url"].endswith(PATH)
    off = {"webhook_id": hook["webhook_id"], "status": "DISABLED"}
    asked("PATCH", f"{registry}/{hook['webhook_id']}", json=off)
    assert up.register("skewed") == "2"
    up.schedule(on=True)
    found = up.verdict("2")
    up.schedule(on=False)
    return found


def test_a_registered_version_is_validated_unattended(up: Up, passed: dict[str, Any]) -> None:
    """The webhook started a run of its own, named for model and version; the verdict and its link are on the page."""
    assert passed["tags"]["seatrial.verdict"] == "pass", passed
    assert aliases(passed) == {"validated", "champion"}
    assert "pass" in passed["description"]
    wait(
        lambda: (
            ("tiny version 1 registered", "COMPLETED") in {(r["name"], r["state_type"]) for r in up.runs("registered")}
        )
    )


def test_each_version_has_a_flow_run_of_its_own(up: Up, passed: dict[str, Any]) -> None:
    """Created by the one that the webhook started, named for its verdict, and behind the schedule in the pool."""
    mine = [r for r in up.runs("due") if r["parameters"]["model_uri"] == "models:/tiny/1"]
    assert [(r["name"], r["work_queue_name"], "seatrial:tiny" in r["tags"]) for r in mine] == [
        ("pass · tiny 1", "validations", True)
    ]
    assert passed["tags"]["seatrial.flow_run"].endswith(mine[0]["id"])
    queues = asked("POST", f"{up.prefect}/api/work_pools/seatrial-tiny/queues/filter", json={}).json()
    assert [q["name"] for q in sorted(queues, key=lambda q: q["priority"])] == ["default", "validations"]


def test_a_lost_webhook_costs_nothing_but_time(up: Up, failed: dict[str, Any]) -> None:
    """No delivery arrived; the schedule found the version, and its page states what is wrong and where."""
    assert not [r for r in up.runs("registered") if "version 2" in r["name"]]
    assert failed["tags"]["seatrial.verdict"] == "fail"
    assert "features" in failed["description"]
    assert not failed.get("aliases")


def test_verify_answers_by_signature(
    up: Up, failed: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 for what passed, 1 for what failed though its tag is changed by hand, 2 for what is not there."""
    tag = {"name": "tiny", "version": "2", "key": "seatrial.verdict", "value": "pass"}
    asked("POST", f"{up.mlflow}/api/2.0/mlflow/model-versions/set-tag", json=tag)
    before = dict(os.environ)
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", up.mlflow)
    ended = {}
    try:
        for uri in ("models:/tiny@champion", "models:/tiny/2", "models:/tiny/3"):
            with pytest.raises(SystemExit) as end:  # in this process, where all is imported
                main(["verify", uri, "--project", str(up.root)])
            ended[uri] = (end.value.code, capsys.readouterr())
    finally:  # the command sets what its project says
        os.environ.clear()
        os.environ.update(before)
    assert [code or 0 for code, _ in ended.values()] == [0, 1, 2], ended


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*quiet, "--disable-component-update"])
        yield browser
        browser.close()


def test_a_person_finds_the_verdict_on_mlflows_pages(up: Up, failed: dict[str, Any], browser: Any) -> None:
    """On the version's page, on the run's page that it leads to, and first of all on the page of the experiment."""
    page = browser.new_page()
    page.set_default_timeout(240_000)
    page.goto(f"{up.mlflow}/#/models/tiny/versions/2")
    page.get_by_text("What to do:").first.wait_for()
    said = page.inner_text("body")
    assert "seatrial: fail · tiny 2 · features.x" in said
    assert "seatrial show models:/tiny/2 1" in said
    assert "\\" not in said
    assert "seatrial: end" not in said
    report = page.get_by_role("link", name="report", exact=True).get_attribute("href")
    page.goto(f"{up.mlflow}/{report}")
    page.get_by_text("report.html").first.wait_for()
    page.get_by_text("fail · tiny 2 · features.x").first.wait_for()

    page.goto("about:blank")  # or the page before, which links the experiment too, is there a little longer
    page.goto(f"{up.mlflow}/#/experiments")
    page.get_by_role("link", name="seatrial/tiny").first.click()
    runs = page.locator("a", has_text="all runs").first.get_attribute("href")  # below a dialog at the first visit
    assert "seatrial: fail · tiny 2 · features.x" in page.inner_text("body")
    page.goto(f"{up.mlflow}/{runs}")
    page.locator("a", has_text="fail · tiny 2 · features.x").first.wait_for()
    page.locator("a", has_text="pass · tiny 1").first.wait_for()
    assert "Evaluation runs" not in page.inner_text("body")
    page.close()


def test_a_person_finds_the_verdict_on_prefects_pages(up: Up, failed: dict[str, Any], browser: Any) -> None:
    """The flow run is named for it, an artifact says it whole, and its links lead back to MLflow."""
    page = browser.new_page()
    page.set_default_timeout(240_000)
    page.goto(failed["tags"]["seatrial.flow_run"])
    page.get_by_text("fail · tiny 2 · features.x").first.wait_for()
    page.get_by_text("Failed").first.wait_for()
    page.get_by_text("features · expectations: started").first.wait_for()
    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text("verdict-tiny").first.click()
    page.get_by_text("What to do:").first.wait_for()
    assert "failed (origin)" in page.inner_text("body")
    version = page.get_by_role("link", name="Model version").first.get_attribute("href")
    assert version == f"{up.mlflow}/#/models/tiny/versions/2"
    page.close()


def test_everything_is_deployed_and_scheduled(up: Up, passed: dict[str, Any]) -> None:
    """Every deployment, with its parameters described; the nightly run is scheduled; automations are on."""
    deployed = {d["name"]: d for d in up.deployments()}
    assert set(deployed) == {
        "tiny-every-minute", "tiny-when-due", "tiny-on-registration", "tiny-by-hand", "tiny-nightly",
        "tiny-weekly-stress", "tiny-stress-by-hand", "tiny-capture",
    }  # fmt: skip
    for deployment in deployed.values():
        assert deployment["description"]
        for about in deployment["parameter_openapi_schema"]["properties"].values():
            assert about.get("description"), about
    nightly = {r["state_name"] for r in up.runs("promoted") if r["deployment_id"] == deployed["tiny-nightly"]["id"]}
    assert nightly == {"Scheduled"}
    automations = asked("POST", f"{up.prefect}/api/automations/filter", json={}).json()
    assert {a["name"] for a in automations if a["enabled"]} == {
        "seatrial tiny - a run whose process died",
        "seatrial tiny - a run whose process died at once",
        "seatrial tiny - a run that never started",
        "seatrial tiny - a version was registered",
    }


def test_the_nightly_run_validates_promoted_versions_again(up: Up, failed: dict[str, Any]) -> None:
    """Version 1 alone, which holds the alias: one more verdict, and the run says how it went."""
    found = asked("GET", f"{up.prefect}/api/deployments/name/promoted/tiny-nightly").json()
    run = asked("POST", f"{up.prefect}/api/deployments/{found['id']}/create_flow_run", json={}).json()

    def ended() -> Any:
        state = asked("GET", f"{up.prefect}/api/flow_runs/{run['id']}").json()["state"]
        return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    assert wait(ended, lambda: up.log("worker"))["message"] == "1 version passed."
    validated = [r["name"] for r in up.runs("validate") + up.runs("due") if r["state_type"] == "COMPLETED"]
    assert validated == ["pass · tiny 1"] * 2
    assert up.version("1")["tags"]["seatrial.run_id"]


def test_two_projects_and_a_stranger_live_side_by_side(up: Up, failed: dict[str, Any], tmp_path: Path) -> None:
    """A second project deploys beside the first and leaves no trace; a stranger's things of our names stay."""
    other = tmp_path / "other"
    shutil.copytree(Path(__file__).with_name("tiny"), other, ignore=shutil.ignore_patterns("__pycache__"))
    environ = up.environ() | {"PREFECT_API_URL": f"{up.prefect}/api"}
    stranger = {name: asked("POST", f"{up.prefect}/api/{kind}/", json=body).json() for name, kind, body in (
        ("pool", "work_pools", {"name": "seatrial", "type": "process"}), ("flow", "flows", {"name": "validate"}),
    )}  # fmt: skip
    theirs = {"name": "nightly", "flow_id": stranger["flow"]["id"], "work_pool_name": "seatrial", "tags": ["seatrial"]}
    asked("POST", f"{up.prefect}/api/deployments/", json=theirs)

    def there() -> dict[str, set[str]]:
        pages = {
            "deployments": up.deployments(),
            "automations": asked("POST", f"{up.prefect}/api/automations/filter", json={}).json(),
            "pools": asked("POST", f"{up.prefect}/api/work_pools/filter", json={}).json(),
            "webhooks": asked("GET", f"{up.mlflow}/api/2.0/mlflow/webhooks").json()["webhooks"],
        }
        return {kind: {each["name"] for each in found} for kind, found in pages.items()}

    def ran(*command: str) -> str:
        words = [sys.executable, "-m", "seatrial", *command, "--project", str(other)]
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    before = there()
    assert "seatrial-tiny" in before["pools"]
    assert before["webhooks"] == {"seatrial-tiny"}
    told = ran("deploy", "--receiver", "http://127.0.0.1:9")
    both = there()
    for kind, added in (
        ("deployments", {name.replace("tiny-", "other-") for name in before["deployments"] if "tiny-" in name}),
        ("automations", {name.replace(" tiny ", " other ") for name in before["automations"]}),
        ("pools", {"seatrial-other"}), ("webhooks", {"seatrial-other"}),
    ):  # fmt: skip
        assert both[kind] - before[kind] == added, kind
        assert before[kind] <= both[kind], kind
    assert "Work pool: seatrial-other." in told
    about = asked("POST", f"{up.prefect}/api/automations/filter", json={}).json()
    for each in about:
        if "process died" in each["name"]:
            related = json.dumps(each["trigger"]["match_related"])
            assert f"prefect.tag.seatrial:{each['name'].split()[1]}" in related
    ran("undeploy")
    assert there() == before
    assert "Nothing of project 'other' is on" in ran("undeploy")


def test_a_change_of_verdict_is_told_once(up: Up, failed: dict[str, Any]) -> None:
    """The message has the version, the first line of the finding and the page; the same verdict again is not told."""
    told: list[dict[str, str]] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as hook:
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        try:
            address = {
                "HOOK": f"http://127.0.0.1:{hook.server_port}/s3cret-path",
                "PREFECT_API_URL": f"{up.prefect}/api",
            }
            words = [sys.executable, "-m", "seatrial", "deploy", "--notify", "webhook=HOOK", "--project", str(up.root)]
            done = subprocess.run(words, env=up.environ() | address, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert "Notification: seatrial tiny - a verdict changed (webhook)." in done.stdout
            assert "s3cret-path" not in done.stdout + done.stderr
            up.schedule(on=False)  # deploying turns it on, and its runs take what the validations need
            again(up, "models:/tiny/2")  # the same verdict again
            assert told == []
            third = up.register()
            again(up, f"models:/tiny/{third}")
            message = wait(lambda: told[0] if told else None, lambda: up.log("worker"))
        finally:
            hook.shutdown()
    assert message["subject"] == f"pass · tiny {third}"
    assert message["text"].startswith("pass: ")
    assert f"{up.prefect}/runs/flow-run/" in message["text"]
    assert len(told) == 1


def again(up: Up, uri: str) -> None:
    """Validate a version by the deployment that people start by hand."""
    found = asked("GET", f"{up.prefect}/api/deployments/name/validate/tiny-by-hand").json()
    path = f"{up.prefect}/api/deployments/{found['id']}/create_flow_run"
    run = asked("POST", path, json={"parameters": {"model_uri": uri}}).json()

    def ended() -> Any:
        state = asked("GET", f"{up.prefect}/api/flow_runs/{run['id']}").json()["state"]
        return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    wait(ended, lambda: up.log("worker"))


def words(process: psutil.Process) -> list[str]:
    """Return its command; none of a process that ended meanwhile."""
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def test_one_that_dies_ends_all_and_is_named(up: Up, failed: dict[str, Any]) -> None:
    """The end of its log is shown, the exit code is 2, and no process and no port is left."""
    family = psutil.Process(up.process.pid).children(recursive=True)
    (receiver,) = [p for p in family if "webhook" in words(p) and "seatrial" in words(p)[2:3]]
    receiver.kill()
    assert up.process.wait(120) == 2
    assert "webhook receiver ended with signal 9" in (up.root / "up.log").read_text()
    assert not psutil.wait_procs(family, timeout=30)[1]
    assert not any(answers(f"http://127.0.0.1:{port}/health") for port in up.ports.values())


def test_ctrl_c_ends_it_at_any_moment(up: Up, failed: dict[str, Any]) -> None:
    """Also while it still starts; afterwards nothing of it is left."""
    again = start(up.root)
    try:
        wait(lambda: psutil.Process(again.process.pid).children(recursive=True))
        family = psutil.Process(again.process.pid).children(recursive=True)
        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(60) in (0, 2)
    finally:
        again.process.kill()
    assert not psutil.wait_procs(family, timeout=30)[1]
    assert "Traceback" not in (up.root / "up.log").read_text()
