"""A pipeline whose names are written by an attacker and whose cells are secret: no output acts, and none tells."""

import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import great_expectations.expectations as gxe
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from seatrial import Dependency, Outcome, Pipeline, Policy, Quality, Reference, Sink, StagePolicy, Subject, capture, run
from seatrial.events import Attachment
from seatrial.sinks import console, markdown
from seatrial.sinks.files import new_directory, write_results
from tests.unit.sinks.test_hostile_text import Tags

HTML = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
FORMULA = '=HYPERLINK("http://evil.example","x")'
ANSI = "\x1b[31mred\x1b[0m\x1b]8;;http://evil.example\x07\u202e"
LINES = "two\nlines\r\n| a | b |\n# head"
MARKUP = "[bold red]x[/] {{ 7*7 }} ${x} [l](javascript:alert(1))"
COLUMNS = [HTML, FORMULA, ANSI, LINES, MARKUP]
STAGE = "estado_中"  # a stage names files: letters, digits and _ of any alphabet, nothing that marks up
SECRET = "SECRET-7f3a"  # stands in a cell of every column of every stage
SHOWN = 7_654_321.5  # the largest value of the one column that the policy shows
ROWS = 240
CALLS = [0]


def secret(stage: str, n: int) -> str:
    return f"{SECRET}-{stage}-{n:04d} <script>alert('{SECRET}')</script> {FORMULA}"


def requests() -> pd.DataFrame:
    keys = [f"k-{n:04d}{(HTML, FORMULA, ANSI, LINES, MARKUP)[n % 5]}" for n in range(ROWS)]
    cells = {name: [secret("raw", n) for n in range(ROWS)] for name in COLUMNS}
    return pd.DataFrame({"key": keys, **cells}, dtype="string")


class Store:
    """Knows a secret of every key."""

    def __init__(self, url: str) -> None:
        self.tag = url

    def tell(self, keys: pd.Series) -> pd.DataFrame:
        told = [f"{SECRET}-store-{self.tag}-{n}" for n in range(len(keys))]
        return pd.DataFrame({"key": keys.to_numpy(), HTML: told, "age": 1.0}).astype({"key": "string"})


def raw(frame):
    return frame


def features(frame, store):
    told = frame.merge(store.tell(frame["key"]), on="key", suffixes=("", " of the store"))
    levels = pd.CategoricalDtype([f"{SECRET}-level-{n}" for n in range(3)])
    level = pd.Categorical([f"{SECRET}-level-{n % 3}" for n in range(len(frame))], dtype=levels)
    number = 1_234_567.891 + np.arange(len(frame))  # its digits are a secret too
    shown = SHOWN - np.arange(len(frame))
    return told.assign(
        level=level, number=number, shown=shown, listed=pd.Series([[SECRET]] * len(frame), dtype="object")
    )


def score(frame, model):
    return frame.assign(score=np.linspace(0, 1, len(frame)))


def make(store="a", **changed) -> Pipeline:
    stages = {"raw": raw, "features": features, STAGE: score, "response": raw, **changed}
    dependency = Dependency("store", store, Store)
    return Pipeline(f"model {HTML}", key="key", model=lambda path: path, dependencies=[dependency], **stages)


def own(reference):
    return [
        gxe.ExpectColumnMaxToBeBetween(column="number", max_value=0),
        gxe.ExpectColumnValuesToMatchRegex(column=HTML, regex="^never$"),
        gxe.ExpectColumnValuesToBeUnique(column="level"),
        gxe.ExpectColumnMostCommonValueToBeInSet(column="level", value_set=["none"]),
        gxe.ExpectColumnMaxToBeBetween(column="shown", max_value=0),
    ]


POLICY = Policy(
    {
        "features": StagePolicy(expectations=own, show=["shown"]),
        STAGE: StagePolicy(quality=Quality("label", "score", {"roc_auc": 0.99})),
    }
)


def scrambled(frame, store):
    """Wrong in every way that a comparison tells: values, nulls, fills, types, orders, names."""
    out = features(frame, store)
    out[HTML] = out[HTML].str.upper()
    out[FORMULA] = out[FORMULA].where(np.arange(len(out)) % 3 != 0)
    out[ANSI] = f"{SECRET}-constant"
    out[LINES] = out[MARKUP].to_numpy()[::-1]
    out["number"] = out["number"] * 1000
    out["level"] = out["level"].cat.rename_categories(lambda name: f"{name}-renamed")
    out["listed"] = pd.Series([[SECRET, str(n)] for n in range(len(out))], dtype="object")
    return out.rename(columns={MARKUP: MARKUP.upper()})


def raising(frame, store):
    raise ValueError(f"cannot read {frame[HTML].iloc[0]} in {HTML}")


def restless(frame, store):
    CALLS[0] += 1
    return features(frame, store).assign(**{HTML: f"{SECRET}-call-{CALLS[0]}"})


def fanned(frame, store):
    return pd.concat([features(frame, store)] * 2)


def keyless(frame, store):
    return features(frame, store).drop(columns="key")


class Heard(Sink):
    """Keeps every event."""

    def __init__(self) -> None:
        self.events = []

    def event(self, event):
        self.events.append(event)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    labels = pd.DataFrame({"key": requests()["key"], "label": np.arange(ROWS) % 2 == 0})
    made = capture(make(), requests(), model="m", labels=labels)
    return Reference.load(made.save(tmp_path_factory.mktemp("hostile") / "reference"))


TRIALS = {
    "clean": make(),
    "scrambled": make(features=scrambled),
    "raising": make(features=raising),
    "restless": make(features=restless),
    "fanned": make(features=fanned),
    "keyless": make(features=keyless),
    "another-store": make(store="b"),
}


@pytest.fixture(scope="module", params=TRIALS)
def outputs(request, reference, tmp_path_factory):
    """Everything that a trial leaves behind, by name: files, the screen, markdown, rows of the table."""
    heard = Heard()
    subject = Subject(f"model {HTML}/../..", version=f"1{ANSI}")
    out, err = io.StringIO(), io.StringIO()
    screen = Console(file=out, width=120)
    verdict = run(
        TRIALS[request.param], reference, model="m", policy=POLICY, subject=subject,
        live=["store"], sinks=[heard, console.Progress(Console(file=err, width=120))],
    )  # fmt: skip
    console.show(verdict, screen)
    state = tmp_path_factory.mktemp("state")
    directory = write_results(verdict, heard.events, new_directory(state, subject))
    files = {p.relative_to(state).as_posix(): p.read_bytes().decode() for p in state.rglob("*") if p.is_file()}
    assert directory.is_relative_to(state / "reports")
    texts = {
        "screen": out.getvalue(),
        "progress": err.getvalue(),
        "markdown": markdown.findings_markdown(verdict),
        "table": json.dumps(markdown.findings_rows(verdict.findings)),
        "json": verdict.to_json(),
        "summary": verdict.summary,
    }
    return request.param, verdict, files, texts


def ending(files, name):
    return next(text for path, text in files.items() if path.endswith(name))


def test_every_trial_ends_in_a_fail_with_all_its_files(outputs):
    """Hostile names stop neither the checks nor the sinks; what was judged was judged."""
    name, verdict, files, _ = outputs
    assert verdict.outcome is Outcome.FAIL  # the policy's own expectations are not met by any
    assert verdict.first_failing_stage == {"another-store": "store", "clean": "features"}.get(
        name, verdict.path[1:3][1]
    )
    assert not [u for u in verdict.not_evaluated if u.crashed]
    assert {"report.html", "junit.xml", "verdict.json"} <= {path.rsplit("/", 1)[-1] for path in files}
    assert any("/suites/" in path for path in files)


def test_no_cell_leaves_the_process(outputs):
    """Not one of the planted secrets is in any output, whole, escaped or as digits; only the shown column's is."""
    name, _, files, texts = outputs
    for path, text in {**files, **texts}.items():
        assert SECRET.lower() not in text.lower(), path
        assert not re.search(r"1[ ,.]?234[ ,.]?[5-9]\d\d", text), path
    if name in ("clean", "scrambled", "restless", "another-store"):
        assert f"the observed value is {SHOWN}" in texts["json"]


def test_no_output_acts(outputs):
    """The page has no active element, the screen no control character; XML and JSON parse; no cell is a formula."""
    _, verdict, files, texts = outputs
    tags = Tags()
    tags.feed(ending(files, "report.html"))
    assert not {t for t, _ in tags.tags} & {"script", "img", "iframe", "object", "embed", "link", "form", "base"}
    assert all(re.fullmatch("#finding-[0-9]+", attributes["href"] or "") for t, attributes in tags.tags if t == "a")
    assert not [name for _, attributes in tags.tags for name in attributes if name.startswith("on") or name == "src"]
    for name in ("screen", "progress"):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", texts[name]), name
    known = {"testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "system-out"}
    assert {e.tag for e in ET.fromstring(ending(files, "junit.xml")).iter()} <= known
    assert json.loads(ending(files, "verdict.json"), parse_constant=pytest.fail)["outcome"] == verdict.outcome
    assert not re.search(r"https?://|[<>]", texts["markdown"])
    for row in markdown.findings_rows(verdict.findings):
        assert not any(str(cell).lstrip().startswith(("=", "+", "@")) for cell in row.values())


def test_files_of_names_stay_in_the_results(tmp_path, reference):
    """A name that leads out of the directory is refused, and nothing is written there."""
    from seatrial.errors import SeatrialError

    heard = Heard()
    verdict = run(TRIALS["clean"], reference, ["golden"], model="m", sinks=[heard])
    evil = replace(next(e for e in heard.events if isinstance(e, Attachment)), name="../../evil.json")
    with pytest.raises(SeatrialError, match="leads out"):
        write_results(verdict, [evil], tmp_path / "a" / "b")
    assert not list(tmp_path.rglob("evil.json"))
