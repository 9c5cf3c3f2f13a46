"""ClearML's addresses, and what a verdict's task shows: without the package, and without a server."""

from __future__ import annotations

import doctest
import html
import importlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import UsageError
from seatrial.events import Case, Evaluated, Finding, NotEvaluated, Outcome, Severity, Subject, total
from seatrial.registry.clearml import client, pictures
from seatrial.registry.clearml.addresses import joined, parse, split
from seatrial.registry.clearml.content import project_of, title
from seatrial.registry.clearml.tracker import _inside
from seatrial.sinks.outline import State, places
from seatrial.testing.samples import sample_verdict

MODULES = ("addresses", "content", "tracker", "versions")
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1).filter(lambda name: name.strip("/"))
PROJECTS = st.lists(NAMES.map(lambda part: part.replace("/", "") or "x"), max_size=3).map("/".join)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run(module: str) -> None:
    failed, ran = doctest.testmod(importlib.import_module(f"seatrial.registry.clearml.{module}"))
    assert (failed, ran > 0) == (0, True)


@given(PROJECTS, NAMES)
def test_every_name_of_a_model_has_an_address(project: str, name: str) -> None:
    model = joined(project, name)
    assert split(model) == (project, name)
    assert parse(f"clearml:/{model}/1764489600123").number == "1764489600123"
    assert parse(f"clearml:/{model}/1764489600123").model == model
    assert parse(f"clearml:/{model}@champion").tag == "champion"


@pytest.mark.parametrize(
    "uri", ["clearml:/", "clearml:fraud/1", "clearml://host/fraud/1", "clearml:/fraud", "models:/f/1"]
)
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match=r"Write clearml:/PROJECT/MODEL/NUMBER"):
        parse(uri)


@given(st.text(max_size=300))
def test_no_name_leads_out_of_a_folder(name: str) -> None:
    """The package makes folders of the names of tasks and projects, and a server gives those of files."""
    for path in (title({"name": name}), project_of(name), str(_inside(name))):
        assert not path.startswith("/")
        assert ".." not in Path(path).parts
        assert "\0" not in path
    assert title({"name": name}).isascii()
    assert project_of(name).isascii()


@pytest.mark.parametrize("outcome", Outcome)
def test_a_picture_has_the_state_of_each_case(outcome: Outcome, tmp_path: Path) -> None:
    verdict = sample_verdict(outcome)
    (tmp_path / "verdict.json").write_text(verdict.to_json(), encoding="utf-8")
    read = pictures.read(tmp_path)
    assert read is not None
    [heat] = pictures.states(read)["data"]
    assert heat["x"] == ["raw", "features", "response"]
    assert heat["text"] == [[place.state.value for place in places(verdict)]]
    json.dumps(pictures.states(read), allow_nan=False)


def test_the_table_has_every_finding_by_its_number_and_no_markup() -> None:
    markup = "<a href='javascript:alert(1)'>x</a>\x1b[31m"
    findings = [
        Finding("golden", "raw", "first", "a", cause="clock"),
        Finding("golden", "response", markup, "b", downstream=True),
        Finding("contract", None, "third", severity=Severity.WARNING),
    ]
    events = [
        *findings,
        Evaluated("golden", "raw", 5),
        Evaluated("contract", None, 1),
        NotEvaluated("load", "raw", "busy"),
    ]
    verdict = total(events, subject=Subject("m"), path=["raw", "response"], planned=[Case("golden", "raw")])
    read = json.loads(verdict.to_json())
    header, *rows = pictures.findings(read)
    assert tuple(header) == pictures.COLUMNS
    assert [row[0] for row in rows] == [str(number) for number in verdict.numbered]
    by_message = {row[-1]: row for row in rows}
    assert by_message["first"][:-1] == ["1", "error", "golden", "raw", "a", "origin", "clock"]
    assert by_message["third"][1:6] == ["warning", "contract", "whole path", "", "origin"]
    [said] = [message for message in by_message if "href" in message]
    assert not {"<", ">", "\x1b"} & set(said)
    assert html.unescape(said) == "<a href='javascript:alert(1)'>x</a>\\x1b[31m"
    [heat] = pictures.states(read)["data"]
    assert heat["x"] == ["raw", "response", "whole path"]
    shown = dict(zip(heat["y"], heat["text"], strict=True))
    assert shown["golden"] == [State.ORIGIN.value, State.DOWNSTREAM.value, State.NOT_RUN.value]
    assert shown["contract"][2] == State.WARNING.value
    assert shown["load"][0] == State.NOT_EVALUATED.value


def test_a_run_without_a_verdict_has_no_picture(tmp_path: Path) -> None:
    assert pictures.read(tmp_path) is None


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"^ClearML needs its package: pip install 'seatrial\[clearml\]'\.$"):
        client.Client().call("aliases", {}, 1.0)
