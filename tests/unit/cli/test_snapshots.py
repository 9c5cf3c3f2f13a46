"""The exact words of the command line: every help page, and the common errors, each in a file under ``snapshots/``.

After an intended change, renew the files and read the difference before you commit it::

    SEATRIAL_SNAPSHOTS=renew pytest tests/unit/cli
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from seatrial.cli import main
from seatrial.cli.app import app

SNAPSHOTS = Path(__file__).with_name("snapshots")
HOW = "SEATRIAL_SNAPSHOTS=renew pytest tests/unit/cli"
RENEW = os.environ.get("SEATRIAL_SNAPSHOTS") == "renew"
PAGES = {
    "": "help", "validate": "help-validate", "stress": "help-stress", "capture": "help-capture",
    "verify": "help-verify", "mutate": "help-mutate", "up": "help-up", "deploy": "help-deploy",
    "webhook": "help-webhook", "reconcile": "help-reconcile", "sync": "help-sync", "undeploy": "help-undeploy",
    "worker": "help-worker",
    "status": "help-status", "history": "help-history", "rerun": "help-rerun", "cancel": "help-cancel",
    "prune": "help-prune",
    "init": "help-init", "doctor": "help-doctor",
    "demo": "help-demo", "upgrade": "help-upgrade", "diff": "help-diff",
    "show": "help-show", "trace": "help-trace", "evidence": "help-evidence",
    "kserve": "help-kserve",
    "plugins": "help-plugins", "schema": "help-schema", "fixtures": "help-fixtures",
    "fixtures make": "help-fixtures-make",
    "fixtures check": "help-fixtures-check", "fixtures show": "help-fixtures-show",
    "fixtures select": "help-fixtures-select", "fixtures refresh": "help-fixtures-refresh",
}  # fmt: skip
ERRORS = {
    "unknown-command": "validat models:/payments/1",
    "unknown-option": "validate models:/payments/1 --seeds 3",
    "missing-argument": "validate",
    "missing-value": "validate models:/payments/1 --seed",
    "unexpected-argument": "validate models:/payments/1 payments",
    "wrong-type": "validate models:/payments/1 --seed three",
    "unknown-choice": "upgrade --copy flow",
    "no-project": "validate models:/payments/1 --project {empty}",
    "unknown-check": "validate models:/payments/1 --only expectation --project {project}",
    "unknown-check-stress": "stress models:/payments/1 --skip lod --project {project}",
    "misspelt-setting": "verify models:/payments/1 --project {misspelt}",
    "steps-without-apply": "kserve models:/payments/1 --step 10,50 --project {project}",
    "given-is-no-pair": "capture models:/payments/1 rows.parquet --given features --project {project}",
    "unknown-sink": "validate models:/payments/1 --sink junti=a.xml --project {project}",
    "sink-is-no-pair": "validate models:/payments/1 --sink junit --project {project}",
    "init-not-empty": "init {project}",
    "init-without-directory": "init",
    "init-here-twice": "init {project} --here",
    "init-unknown-example": "init {empty} --example paymnts",
    "init-unknown-app": "init {empty} --here --app app:app",
    "deploy-without-prefect": "deploy --project {project}",
    "webhook-without-prefect": "webhook --project {project}",
    "up-beside-a-server": "up --project {project}",
    "unknown-schema": "schema servce",
    "no-fixtures": "fixtures show --project {project}",
    "evidence-without-a-key": "evidence models:/payments/1 --project {project}",
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Path]]:
    """An empty directory, a project, and one with a misspelt setting; an environment that names no Prefect server."""
    places = {name: tmp_path / name for name in ("empty", "project", "misspelt")}
    for name, path in places.items():
        (path / "expectations").mkdir(parents=True)
        if setting := {"project": "pipeline", "misspelt": "pipelin"}.get(name):
            (path / "pyproject.toml").write_text(f'[tool.seatrial]\n{setting} = "pipeline.py:pipeline"\n')
    monkeypatch.chdir(places["empty"])
    before = dict(os.environ)  # commands set variables for what they start
    for name in [name for name in before if name.startswith(("PREFECT", "SEATRIAL"))]:
        del os.environ[name]
    os.environ.update({"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "COLUMNS": "100"})
    app.console = Console()  # or that of whichever test asked for help first, as wide as it was there
    yield places
    app.console = None
    os.environ.clear()
    os.environ.update(before)


def output(words: list[str], capsys: pytest.CaptureFixture[str], places: dict[str, Path]) -> str:
    """Run a command; return its exit code and what it printed, with the paths of this run named."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    printed = capsys.readouterr()
    text = f"exit code {ended.value.code}\n--- stdout\n{printed.out}--- stderr\n{printed.err}"
    for name, path in places.items():
        text = text.replace(str(path), f"<{name}>")
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).rstrip("\n") + "\n"


def compare(name: str, text: str) -> None:
    """Compare with the snapshot, or write it."""
    path = SNAPSHOTS / f"{name}.txt"
    if RENEW:
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"There is no snapshot {path}. Write it: {HOW}"
    assert text == path.read_text(encoding="utf-8"), f"Renew after an intended change: {HOW}"


@pytest.mark.parametrize("command", PAGES)
def test_a_help_page_is_as_written(command: str, capsys: pytest.CaptureFixture[str], places: dict[str, Path]) -> None:
    """Names, order, defaults and sentences of a command's help."""
    compare(PAGES[command], output([*command.split(), "--help"], capsys, places))


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_as_written(name: str, capsys: pytest.CaptureFixture[str], places: dict[str, Path]) -> None:
    """What was found, what is allowed, the nearest match, what to type next; exit code 2 and no traceback."""
    words = [word.format_map(places) for word in ERRORS[name].split()]
    text = output(words, capsys, places)
    assert text.startswith("exit code 2\n")
    assert "Traceback" not in text
    compare(f"error-{name}", text)


def test_every_command_has_its_page() -> None:
    """A new command needs a snapshot of its help, and a file without a test is removed."""
    assert {name for name in app if not name.startswith("-")} == {command.split()[0] for command in PAGES if command}
    files = {path.stem for path in SNAPSHOTS.glob("*.txt")}
    assert files == {*PAGES.values(), *(f"error-{name}" for name in ERRORS)}


@pytest.mark.parametrize("debug", [[], ["--debug"]])
@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 2, "Interrupted. No verdict was written."),
        (FileNotFoundError(2, "No such file or directory", "rows.csv"), 2, "No such file or directory: rows.csv."),
        (ZeroDivisionError("division by zero"), 2, "seatrial failed with an internal error: ZeroDivisionError"),
        (type("Refused", (Exception,), {"exit_code": 1})("no"), 1, "seatrial failed with an internal error: Refused"),
    ],
)
def test_debug_changes_no_exit_code(
    debug: list[str], error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The traceback is printed besides the message, and the command ends with the same code."""
    from seatrial.cli import scaffold

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(scaffold, "init", broken)
    with pytest.raises(SystemExit) as ended:
        main([*debug, "init", "somewhere", "--example", "payments"])
    printed = capsys.readouterr()
    assert ended.value.code == code
    assert f"seatrial: {message}" in printed.err
    assert ("Traceback (most recent call last)" in printed.err) == bool(debug)
