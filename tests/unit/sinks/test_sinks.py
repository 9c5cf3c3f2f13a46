"""Every sink shows the same: the outcome, the stage that failed, and the column."""

import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import junitparser
import pytest
from rich.console import Console

from seatrial import plugins
from seatrial.errors import UsageError
from seatrial.events import (
    Case,
    Evaluated,
    Finding,
    Measurement,
    NotEvaluated,
    Outcome,
    Severity,
    Subject,
    Verdict,
    total,
)
from seatrial.io.files import atomic_write
from seatrial.sinks import console, html, junit, markdown
from seatrial.sinks.base import make_sink
from seatrial.sinks.evidence import evidence
from seatrial.sinks.json import JsonReport
from seatrial.sinks.outline import State, places, results
from seatrial.sinks.page.diagram import diagram

PATH = ("raw", "store", "features", "prediction", "response")
SUBJECT = Subject("payments-fraud", "7", "http://127.0.0.1:5000", 1_763_800_000_000, "sha256:9f2c")
HOUR = Finding(
    "expectations",
    "features",
    "Every value is 2 hours later than in training.",
    "hour",
    cause="shifted-timezone",
    advice="Parse the time as UTC before taking the hour.",
    evidence={"rows": 5000, "mismatches": 5000, "max_abs_diff": 2.0, "worst_keys": [f"t-{i}" for i in range(11)]},
)
SCORE = Finding("expectations", "prediction", "The score differs in 4,211 rows.", "score", downstream=True)
REASON = Finding("contract", None, "The field 'reason' is optional now.", severity=Severity.WARNING)
SILENT = NotEvaluated("resilience", None, "The fault 'latency' did not fire.")
CRASH = NotEvaluated("expectations", "raw", "The check crashed: KeyError.", crashed=True)
EVALUATED = (
    *(Evaluated("expectations", place, 5000, 0.2, cached=place == "raw") for place in PATH),
    Evaluated("contract", None, 213, 6.8),
)
NUMBERS = (
    Measurement("load", None, "p99_seconds", 0.0417, "s"),
    Measurement("quality", None, "auc", float("nan")),
)


def verdict(*events: object) -> Verdict:
    """Sum up the usual events and these."""
    return total(
        (*EVALUATED, *NUMBERS, *events),  # type: ignore[arg-type]
        subject=SUBJECT,
        path=PATH,
        planned=[Case(j.check, j.stage) for j in EVALUATED],
        seed=20,
        seconds=74.3,
        reference_digest="sha256:1b7e",
        policy_digest="sha256:77cd",
    )


VERDICTS = {
    Outcome.PASS: verdict(),
    Outcome.FAIL: verdict(HOUR, SCORE, REASON, SILENT),
    Outcome.INCONCLUSIVE: verdict(SILENT, REASON),
    Outcome.ERROR: verdict(SILENT, CRASH),
}


def printed(shown: Verdict, *, width: int = 120, terminal: bool = False) -> str:
    """Show a verdict on a console and return what it wrote."""
    out = io.StringIO()
    console.show(shown, Console(file=out, width=width, force_terminal=terminal, color_system="truecolor"))
    return out.getvalue()


SINKS = {
    "console": printed,
    "html": lambda v: visible(html.render(v)),
    "junit": lambda v: junit.render(v).decode(),
    "json": lambda v: v.to_json(),
    "markdown": markdown.findings_markdown,
}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def visible(page: str) -> str:
    """Return the text of a page without its tags and its style sheet."""
    parser = _Page()
    parser.feed(page[: page.index("<style>")] + page[page.index("</style>") :])
    return " ".join(" ".join(parser.words).split())


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("outcome", VERDICTS)
def test_every_sink_shows_the_outcome_and_the_subject(sink: str, outcome: Outcome) -> None:
    """Every output contains the outcome and the name of the model."""
    out = SINKS[sink](VERDICTS[outcome])
    assert outcome.value in out.lower()
    assert SUBJECT.model in out.replace("\\", "")


@pytest.mark.parametrize("sink", SINKS)
def test_every_sink_shows_where_the_version_failed(sink: str) -> None:
    """Every output contains the first failing stage, its column, message, cause, keys and advice."""
    out = SINKS[sink](VERDICTS[Outcome.FAIL])
    for word in ("features", "hour", "2 hours later than in training", "shifted-timezone", "t-0", "as UTC"):
        assert word in out


@pytest.mark.parametrize("sink", SINKS)
def test_every_sink_shows_what_was_not_evaluated(sink: str) -> None:
    """A case that was not evaluated is never left out."""
    out = SINKS[sink](VERDICTS[Outcome.INCONCLUSIVE])
    assert "did not fire" in out


def test_files_are_written_whole(tmp_path) -> None:
    """Each file sink writes into a folder that did not exist, and leaves nothing beside its file."""
    for name in plugins.names("sinks"):
        make_sink(name, tmp_path / "new" / name).verdict(VERDICTS[Outcome.FAIL])
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(plugins.names("sinks"))


def test_a_file_that_cannot_be_written_is_a_message(tmp_path) -> None:
    """A path that is a folder is refused with a message, and no partial file is left."""
    (tmp_path / "taken" / "x").mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be written"):
        atomic_write(tmp_path / "taken", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_json_is_strict(tmp_path) -> None:
    """A NaN among the measured values does not make the file unreadable to strict parsers."""
    JsonReport(tmp_path / "v.json").verdict(VERDICTS[Outcome.FAIL])
    body = json.loads((tmp_path / "v.json").read_bytes(), parse_constant=pytest.fail)
    assert (body["outcome"], body["first_failing_stage"]) == ("fail", "features")


@pytest.mark.parametrize("outcome", VERDICTS)
def test_junit_counts_agree_with_the_verdict(outcome: Outcome) -> None:
    """There is one test case a case; only a pass has neither failures nor errors."""
    suite = next(iter(junitparser.JUnitXml.fromstring(junit.render(VERDICTS[outcome]))))
    assert suite.tests == len(list(suite)) == len(results(VERDICTS[outcome]))
    assert (suite.failures + suite.errors == 0) == (outcome is Outcome.PASS)
    assert {p.name: p.value for p in suite.properties()}["verdict"] == outcome


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.ERROR])
def test_junit_is_never_green_without_a_pass(outcome: Outcome) -> None:
    """A verdict that lost its events still yields an error."""
    hollow = Verdict(outcome, SUBJECT, PATH, (HOUR,) if outcome is Outcome.FAIL else (), (), EVALUATED, ())
    root = ET.fromstring(junit.render(hollow))
    assert root.findall(".//failure") + root.findall(".//error")


def test_warnings_do_not_fail_a_junit_case() -> None:
    """A warning is shown in the output of its case."""
    root = ET.fromstring(junit.render(verdict(REASON)))
    assert not root.findall(".//failure")
    assert "optional now" in (root.findtext(".//system-out") or "")


def test_places_take_the_gravest_state() -> None:
    """A place has the gravest state of its cases; a place without a case was not run and has not passed."""
    shown = replace(verdict(HOUR, SCORE, CRASH), path=(*PATH, "nobody"))
    states = {p.name: p.state for p in places(shown)}
    assert states == {
        "raw": State.NOT_EVALUATED,
        "store": State.PASSED,
        "features": State.ORIGIN,
        "prediction": State.DOWNSTREAM,
        "response": State.PASSED,
        "nobody": State.NOT_RUN,
    }


def test_a_case_that_compared_nothing_is_not_shown_as_passed() -> None:
    """A case without comparisons was not evaluated, whatever the outcome of the verdict."""
    hollow = Verdict(Outcome.PASS, SUBJECT, ("raw",), (), (), (Evaluated("expectations", "raw", 0),), ())
    assert [r.state for r in results(hollow)] == [State.NOT_EVALUATED]
    assert [p.state for p in places(hollow)] == [State.NOT_EVALUATED]


def test_the_diagram_shows_each_state_in_words() -> None:
    """Colour is never the only sign: state and a description for screen readers are text."""
    page = html.render(replace(VERDICTS[Outcome.FAIL], dependencies=("store",)))
    for word in (
        ">failed (origin)</text>",
        ">downstream</text>",
        ">passed</text>",
        "store: passed; features: failed (origin); prediction: downstream",
    ):
        assert word in page


@pytest.mark.parametrize("layout", ["across", "down"])
def test_a_dependency_feeds_the_stage_after_it(layout) -> None:
    """A dependency is drawn beside the path, in its own shape, with an arrow into its stage."""
    drawn = diagram(places(VERDICTS[Outcome.FAIL]), {"store"}, layout)
    boxes = {b.place.name: b for b in drawn.boxes}
    assert [name for name, b in boxes.items() if b.dependency] == ["store"]
    assert len(drawn.arrows) == len(PATH) - 1
    for a in boxes.values():
        assert 0 <= a.x <= a.x + a.width <= drawn.width
        assert 0 <= a.y <= a.y + a.height <= drawn.height
        for b in boxes.values():
            apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
            assert a is b or apart


def test_the_same_verdict_gives_the_same_page() -> None:
    """The report depends on neither clock nor chance."""
    assert html.render(VERDICTS[Outcome.FAIL]) == html.render(VERDICTS[Outcome.FAIL])


def test_a_verdict_without_anything_is_shown() -> None:
    """Without path and case every sink shows the reason."""
    nothing = total([], subject=Subject("m"), path=[], planned=[])
    for sink in SINKS.values():
        assert "No check was selected" in sink(nothing)


def test_evidence_shows_only_what_it_knows() -> None:
    """Values under an unknown name, or given as rows of keys, stay hidden and are counted."""
    shown = evidence({"values": [4111], "mismatches": 3, "rows": 5, "amount": 17.5, "keys": [["t-1", 4111]]})
    assert str(shown) == "share 60 %; mismatches 3 of 5"
    assert shown.hidden == 3


@pytest.mark.parametrize("sink", [s for s in SINKS if s != "json"])
def test_no_page_shows_unknown_evidence(sink: str) -> None:
    """An entry named 'values' appears on no page for people."""
    leaking = replace(HOUR, evidence={"values": ["4111-1111"], "values_before": {"a": "4111-1111"}, "mismatches": 2})
    out = SINKS[sink](verdict(leaking))
    assert "4111" not in out
    assert "values_before" not in out
    assert "mismatches 2" in out


def test_evidence_counts_keys_it_does_not_list() -> None:
    """Eight keys are listed and the others counted, also where the evidence has a count of its own."""
    many = evidence({"worst_keys": [f"t-{i}" for i in range(11)]}).keys[0]
    assert (len(many.keys), many.more) == (8, 3)
    counted = evidence({"missing_keys": {"count": 5000, "sample": ["t-1"]}}).keys[0]
    assert str(counted) == "t-1 and 4,999 more"


def test_progress_is_printed_on_a_terminal_only() -> None:
    """On a terminal each case is a line with the number of its findings; in a pipe nothing is printed."""
    events = [HOUR, EVALUATED[2], EVALUATED[0], SILENT]
    printed_on = {}
    for terminal in (True, False):
        out = io.StringIO()
        sink = console.Progress(Console(file=out, force_terminal=terminal, color_system=None, width=120))
        sink.planned([Case("x")] * 4)
        for event in events:
            sink.event(event)
        printed_on[terminal] = out.getvalue()
    assert printed_on[False] == ""
    assert [line[0] for line in printed_on[True].splitlines()] == ["✗", "✓", "?"]
    assert "1 finding" in printed_on[True].splitlines()[0]
    assert "cached" in printed_on[True]


def test_progress_of_a_long_case_takes_one_line() -> None:
    """Each step replaces the line before, and the result replaces the last; in a pipe nothing is printed."""
    printed_on = {}
    for terminal in (True, False):
        out = io.StringIO()
        sink = console.Progress(Console(file=out, force_terminal=terminal, color_system=None, width=60))
        sink.planned([Case("load", "service")])
        sink.progress(0, 3, "run 1 of 3")
        sink.progress(1, 3, "run 2 of 3: " + "very long " * 20)
        sink.event(Evaluated("load", "service", 10))
        printed_on[terminal] = out.getvalue()
    assert printed_on[False] == ""
    first, second, result = printed_on[True].removeprefix("\r\x1b[2K").split("\r\x1b[2K")
    assert first == "  0 of 3: run 1 of 3"
    assert second.startswith("  1 of 3: run 2 of 3")
    assert len(second) < 60
    assert result.startswith("✓ service · load")


def test_a_console_without_unicode_gets_plain_characters() -> None:
    """Marks and names are written in the characters that the terminal has."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    console.show(verdict(replace(HOUR, column="größe→")), Console(file=out, width=100))
    out.flush()
    assert b"gr\\xf6\\xdfe\\u2192" in raw.getvalue()


def test_markdown_keeps_to_its_room() -> None:
    """A page of any number of findings fits, and the lines left out are counted."""
    page = markdown.findings_markdown(verdict(*[replace(HOUR, column=f"c{i}") for i in range(300)]))
    assert len(page) <= markdown.ROOM
    assert "did not fit" in page


def test_rows_list_origins_first() -> None:
    """A table of findings begins with what to fix."""
    rows = markdown.findings_rows([REASON, SCORE, HOUR])
    assert [r["column"] for r in rows] == ["hour", "score", ""]
    assert rows[0]["origin"] == "this stage"
    assert rows[1]["origin"] == "an earlier stage"


def test_a_downstream_difference_that_originates_in_the_same_place_is_shown_once() -> None:
    """The end-to-end replay repeats what the stage replay found: the origin alone is listed."""
    repeated = replace(HOUR, check="golden", downstream=True)
    page = markdown.findings_markdown(verdict(HOUR, repeated, SCORE))
    assert "- features, downstream" not in page
    assert "- prediction, downstream: score" in page
    assert printed(verdict(HOUR, repeated, SCORE)).count("downstream: ") == 1


def test_the_path_breaks_between_places_only() -> None:
    """On a narrow terminal each place keeps its mark and its state on one line."""
    out = io.StringIO()
    console.show(VERDICTS[Outcome.FAIL], Console(file=out, width=50, color_system=None))
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert "raw ✓ → store ✓ → features ✗ failed (origin)" in lines
    assert "→ prediction ~ downstream → response ✓" in lines


def test_a_cached_result_names_its_run_wherever_it_is_shown() -> None:
    """On the console, in the report, in JUnit and in Markdown; one that ran now names none."""
    run = "2026-01-02 10:00:00 UTC, 7f31"
    ended = [Evaluated("golden", "raw", 5, cached=True, run=run), Evaluated("golden", "features", 5)]
    planned = [Case("golden", "raw"), Case("golden", "features")]
    judged = total(ended, subject=Subject("payments", "1"), path=("raw", "features"), planned=planned)
    assert judged.summary == "pass: 2 cases, 10 comparisons; 1 cached"
    page = io.StringIO()
    console.show(judged, Console(file=page, width=200))
    [first, second] = ET.fromstring(junit.render(judged)).iter("testcase")
    assert run in (first.findtext("system-out") or "")
    assert second.findtext("system-out") is None
    for text in (page.getvalue(), html.render(judged), markdown.findings_markdown(judged).replace("\\", "")):
        assert f"1 case is cached: its result is from the run of {run}." in text
