"""A validation with a skew, a stage that raises and a service that fails, and everything that can be seen of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.server
SHOP = Path(__file__).with_name("shop")
PAGE = ROOT / "docs" / "how-to" / "look-into-a-failure.md"
SECONDS = 900
CANARIES = (b"no label for", b"cannot price:", b"price list is empty", b"blue moon")  # no file of the reference has one
Ran = subprocess.CompletedProcess[str]
Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """The project, validated once, and a function that runs a command in it."""
    root = tmp_path_factory.mktemp("looking") / "shop"
    shutil.copytree(SHOP, root)
    state = root / ".seatrial"
    state.mkdir()
    own = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_", "_MLFLOW"))}
    own |= {"DO_NOT_TRACK": "true", "MLFLOW_TRACKING_URI": f"sqlite:///{state / 'mlflow.db'}"}
    own |= {"_MLFLOW_SERVER_ARTIFACT_ROOT": str(state / "artifacts"), "COLUMNS": "200"}

    def run(*words: str) -> Ran:
        return subprocess.run(
            [sys.executable, *words], cwd=root, env=own, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    trained = run("train.py")
    assert trained.returncode == 0, trained.stderr
    (root / "deployed").touch()
    validated = run("-m", "seatrial", "validate", "models:/shop/1")
    assert validated.returncode == 1, validated.stdout + validated.stderr
    assert "seatrial show shop/1 NUMBER" in validated.stdout
    return root, run


def number_of(run: Run, check: str, stage: str, cause: str) -> str:
    told = json.loads(run("-m", "seatrial", "show", "--json").stdout)["findings"]
    wanted = (check, stage, cause)
    return next(str(f["number"]) for f in told if (f["check"], f["stage"], f["cause"]) == wanted)


def test_every_command_of_the_page_gives_what_it_shows(shop: tuple[Path, Run]) -> None:
    """Each line is there, in order; an ellipsis stands for anything."""
    _, run = shop
    blocks = re.findall(r"```console\n\$ seatrial (.*?)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 5
    for words, shown in blocks:
        said = run("-m", "seatrial", *words.split())
        assert said.returncode == (1 if words.startswith("trace") else 0), said.stderr
        pattern = ".*?".join(re.escape(part) for part in shown.rstrip("…\n").split("…"))
        assert re.search(pattern, said.stdout, re.DOTALL), (words, said.stdout)


def test_a_request_that_failed_can_be_sent_again(shop: tuple[Path, Run]) -> None:
    """The curl line, with the address of a service that runs, gives the same answer."""
    root, run = shop
    shown = run("-m", "seatrial", "show", "shop/1", number_of(run, "golden", "service", "status-500")).stdout
    [line] = [line.strip() for line in shown.splitlines() if line.strip().startswith("curl ")]
    port = free_port()
    service = subprocess.Popen([sys.executable, "service.py", str(port)], cwd=root, stdout=subprocess.DEVNULL)
    try:
        ready = ["curl", "-sf", f"http://127.0.0.1:{port}/health"]
        until(lambda: subprocess.run(ready, check=False, capture_output=True).returncode == 0, seconds=60)
        again = subprocess.run(
            ["bash", "-c", re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", line)], capture_output=True, check=True
        )
    finally:
        service.terminate()
        service.wait()
    assert b"500" in again.stdout.splitlines()[0]
    assert b"price list is empty" in again.stdout


def test_show_reads_files_and_imports_nothing_heavy(shop: tuple[Path, Run]) -> None:
    """So it answers at once."""
    _, run = shop
    heavy = "{'pandas', 'pyarrow', 'prefect', 'mlflow', 'great_expectations', 'sqlalchemy'}"
    code = (
        "import sys; from seatrial.cli.inspect.show import show; show('1', 1); "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    shown = run("-c", code)
    assert "training  serving" in shown.stdout
    assert shown.stdout.endswith("[]\n")


def test_one_request_is_traced_to_the_stage_that_raises(shop: tuple[Path, Run]) -> None:
    """Exit code 1 where it differs, 0 where it does not raise or differ, 2 where there is no such request."""
    _, run = shop
    raises = run("-m", "seatrial", "trace", "models:/shop/1", "--key", "r7", "--json")
    assert raises.returncode == 1, raises.stderr
    steps = json.loads(raises.stdout)
    assert [step["stage"] for step in steps if not step["same"]] == ["response"]
    assert steps[-1]["origin"]
    assert "no label for 'gift wrapping'" in steps[-1]["error"]
    assert run("-m", "seatrial", "trace", "models:/shop/1", "--key", "r1").returncode == 0
    none = run("-m", "seatrial", "trace", "models:/shop/1", "--key", "r77")
    assert none.returncode == 2
    assert "no request with the key 'r77'" in none.stderr
    assert "Did you mean 'r7'?" in none.stderr


def test_the_author_sees_his_exception_at_capture(shop: tuple[Path, Run]) -> None:
    """With the line of his file; the log of the flow has no word of it, as the next test sees."""
    _, run = shop
    captured = run("-m", "seatrial", "capture", "models:/shop/2", "requests.parquet")
    assert captured.returncode == 2
    assert "ValueError: no label for 'gift wrapping'" in captured.stderr
    assert 'pipeline.py", line 30, in response' in captured.stderr
    assert "Nothing was captured: each stage must return a frame" in captured.stderr


def test_no_value_of_the_evidence_leaves(shop: tuple[Path, Run]) -> None:
    """What was planted is in the private folder, and in no report, JUnit, run of MLflow, page or log of Prefect."""
    state = shop[0] / ".seatrial"
    private = state / "private"
    kept = b"".join(f.read_bytes() for f in private.rglob("*") if f.is_file())
    assert [c for c in CANARIES if c not in kept] == []
    sent = [f for f in state.rglob("*") if f.is_file() and private not in f.parents and state / "logs" not in f.parents]
    names = {f.name for f in sent}
    assert names >= {"report.html", "junit.xml", "verdict.json", "mlflow.db", "prefect.db"}
    assert any(f.name == "verdict.json" and state / "artifacts" in f.parents for f in sent)
    assert [(f, c) for f in sent for c in CANARIES if c in f.read_bytes()] == []
