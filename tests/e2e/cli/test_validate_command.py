"""``seatrial validate`` as a person uses it: exit codes, files, and one clear message for whatever goes wrong."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seatrial.project import Project
from seatrial.registry.mlflow.client import client
from tests.support.ports import free_port

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_api")]
Command = Callable[..., Any]


def tagged(number: str) -> dict[str, str]:
    return dict(client().get_model_version("payments", number).tags)


def only_one_message(ran: Any) -> str:
    """The command ended with code 2 and one message that is no traceback."""
    assert ran.code == 2, ran
    assert "Traceback" not in ran.out + ran.err
    messages = [line for line in ran.err.splitlines() if line.startswith("seatrial: ")]
    assert len(messages) == 1, ran.err
    return messages[0]


@pytest.fixture
def broken(payments: Project, tmp_path: Path) -> Project:
    """A copy of the project's code on the same registry, to be broken."""
    root = tmp_path / "broken"
    shutil.copytree(payments.root, root, ignore=shutil.ignore_patterns(".seatrial", "__pycache__"))
    return Project.find(root)


def register_again(name: str, payments: Project, *, reference: bool) -> str:
    """Register the model of payments 1 as ``name``, from a new run; return the version's number."""
    registry = client()
    version = registry.get_model_version("payments", "1")
    run = registry.create_run(registry.create_experiment(f"again-{name}"))
    if reference:
        path = registry.download_artifacts(version.run_id, "seatrial/reference", dst_path=str(payments.state))
        registry.log_artifacts(run.info.run_id, path, "seatrial/reference")
        registry.set_tag(run.info.run_id, "seatrial.reference_digest", "sha256:of-another-run")
    registry.set_terminated(run.info.run_id)
    registry.create_registered_model(name)
    return str(registry.create_model_version(name, version.source, run.info.run_id).version)


def test_a_pass_ends_with_0_and_writes_the_files_asked_for(
    payments: Project, seatrial: Command, tmp_path: Path
) -> None:
    """The console names the version and the outcome; JSON, JUnit and HTML agree with it."""
    files = {kind: tmp_path / f"out.{kind}" for kind in ("json", "xml", "html")}
    ran = seatrial(
        "validate", "models:/payments/1", "--project", payments.root, "--only", "expectations",
        "--sink", f"json={files['json']}", "--sink", f"junit={files['xml']}", "--sink", f"html={files['html']}",
    )  # fmt: skip
    assert ran.code == 0, ran
    assert "payments version 1" in ran.out
    assert json.loads(files["json"].read_text())["outcome"] == "pass"
    assert ET.parse(files["xml"]).getroot().get("failures") == "0"
    assert "Pass" in files["html"].read_text()


def test_a_fail_ends_with_1_and_one_line_when_quiet(payments: Project, seatrial: Command) -> None:
    """``--quiet`` leaves the verdict's one line, which names stage and column."""
    ran = seatrial("validate", "models:/payments/2", "--project", payments.root, "--only", "expectations", "--quiet")
    assert ran.code == 1, ran
    assert ran.out.count("\n") == 1
    assert "'features'" in ran.out
    assert "'hour'" in ran.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["models:/paymints/1"], "There is no registered model 'paymints'. Registered: "),
        (["models:/payments/77"], "Model 'payments' has no version '77'. Versions: 1, 2"),
        (["models:/payments@champoin"], "Model 'payments' has no alias 'champoin'."),
        (
            ["payments"],
            "'payments' is not the URI of a model version. Write models:/NAME/VERSION or models:/NAME@ALIAS.",
        ),
        (["models:/payments/1", "--only", "expectation"], "Did you mean 'expectations'?"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_the_nearest(
    payments: Project, seatrial: Command, words: list[str], message: str
) -> None:
    """Unknown model, version, alias, URI and check: what was found, what there is, what to type."""
    assert message in only_one_message(seatrial("validate", *words, "--project", payments.root))


def test_a_version_without_a_reference_is_not_judged(payments: Project, seatrial: Command) -> None:
    """It says how to store one, and writes no verdict."""
    number = register_again("bare", payments, reference=False)
    message = only_one_message(seatrial("validate", f"models:/bare/{number}", "--project", payments.root))
    assert "carries no reference" in message
    assert "seatrial.capture(" in message
    assert not client().get_model_version("bare", number).tags


def test_a_reference_of_another_model_is_refused(payments: Project, seatrial: Command) -> None:
    """A reference copied beside a model whose run did not capture it is no reference of that model."""
    number = register_again("borrowed", payments, reference=True)
    message = only_one_message(seatrial("validate", f"models:/borrowed/{number}", "--project", payments.root))
    assert "is not the one its training run captured" in message
    assert not client().get_model_version("borrowed", number).tags


def test_a_stage_that_the_reference_lacks_is_named(broken: Project, seatrial: Command) -> None:
    """A pipeline that grew a stage cannot be judged by an older reference."""
    code = broken.pipeline_file.read_text()
    broken.pipeline_file.write_text(code.replace("    response=respond,", "    response=respond,\n    audit=respond,"))
    before = tagged("1")
    message = only_one_message(seatrial("validate", "models:/payments/1", "--project", broken.root))
    assert "lacks 'audit'" in message
    assert tagged("1") == before


def test_a_pipeline_that_does_not_parse_is_told_with_its_line(broken: Project, seatrial: Command) -> None:
    """File and line, no traceback."""
    broken.pipeline_file.write_text("def parse(:\n")
    message = only_one_message(seatrial("validate", "models:/payments/1", "--project", broken.root))
    assert "pipeline.py, line 1" in message


def test_an_mlflow_that_is_not_there_is_named(
    payments: Project, seatrial: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address and what to check."""
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    message = only_one_message(seatrial("validate", "models:/payments/1", "--project", payments.root))
    assert address in message
    assert "MLFLOW_TRACKING_URI" in message


def test_outside_a_project_it_says_how_to_make_one(seatrial: Command, tmp_path: Path) -> None:
    """No pyproject.toml with a [tool.seatrial] table."""
    message = only_one_message(seatrial("validate", "models:/payments/1", "--project", tmp_path))
    assert "seatrial init" in message


def test_a_partial_validation_compares_with_model_predictions(
    payments: Project, broken: Project, seatrial: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict states that a pass proves sameness, and is none on the version; a missing reference is an error."""
    monkeypatch.setenv("PAYMENTS_STORE_URL", f"sqlite:///{payments.root / 'payments.db'}")
    path = broken.expectations / "fixtures.toml"
    path.write_text(
        path.read_text().replace("rows = 5_000", "rows = 300").replace("max_distance = 0.08", "max_distance = 0.3")
    )
    words = ["validate", "models:/payments/1", "--fixture", "synthetic", "--only", "golden", "--in-process"]
    message = only_one_message(seatrial(*words, "--project", broken.root))
    assert "Record predictions: seatrial fixtures make synthetic --predict-with models:/NAME@ALIAS" in message
    made = seatrial("fixtures", "make", "synthetic", "--predict-with", "models:/payments/1", "--project", broken.root)
    assert made.code == 0, made
    before = tagged("1")
    ran = seatrial(*words, "--project", broken.root)
    assert ran.code == 0, ran
    assert "a pass proves sameness, not correctness" in " ".join(ran.out.split())
    assert "Partial validation: the verdict of the version is unchanged." in ran.out
    assert (broken.state / "reports" / "payments-1-partial" / "latest" / "report.html").is_file()
    assert tagged("1") == before
    assert "seatrial.fixture.synthetic" in before
