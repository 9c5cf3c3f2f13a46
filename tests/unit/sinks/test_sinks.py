"""Every sink says the same: the verdict, where it broke, and in which column."""

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
from seatrial.sinks.diagram import picture
from seatrial.sinks.evidence import evidence
from seatrial.sinks.json import JsonReport
from seatrial.sinks.outline import State, answers, places
from seatrial.sinks.text import number, seconds, share

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
CRASH = NotEvaluated("expectations", "raw", "the check crashed: KeyError", crashed=True)
JUDGED = (
    *(Evaluated("expectations", place, 5000, 0.2, cached=place == "raw") for place in PATH),
    Evaluated("contract", None, 213, 6.8),
)
MEASURED = (Measurement("load", None, "p99_seconds", 0.0417, "s"), Measurement("quality", None, "auc", float("nan")))


def verdict(*events: object) -> Verdict:
    """Sum the usual answers and these events."""
    return total(
        (*JUDGED, *MEASURED, *events),  # type: ignore[arg-type]
        subject=SUBJECT,
        path=PATH,
        planned=[Case(j.check, j.stage) for j in JUDGED],
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
def test_every_sink_says_the_outcome_and_the_subject(sink: str, outcome: Outcome) -> None:
    """The outcome and the model stand in every output."""
    out = SINKS[sink](VERDICTS[outcome])
    assert outcome.value in out.lower()
    assert SUBJECT.model in out.replace("\\", "")


@pytest.mark.parametrize("sink", SINKS)
def test_every_sink_says_where_it_broke(sink: str) -> None:
    """The first failing stage, the column, the message and the cause of a failure stand in every output."""
    out = SINKS[sink](VERDICTS[Outcome.FAIL])
    for word in ("features", "hour", "2 hours later than in training", "shifted-timezone", "t-0", "as UTC"):
        assert word in out


@pytest.mark.parametrize("sink", SINKS)
def test_every_sink_says_what_was_not_judged(sink: str) -> None:
    """An open question is never left out."""
    out = SINKS[sink](VERDICTS[Outcome.INCONCLUSIVE])
    assert "did not fire" in out


def test_files_are_written_whole(tmp_path) -> None:
    """Each file sink writes into a folder that did not exist, and leaves nothing beside its file."""
    for name in plugins.names("sinks"):
        make_sink(name, tmp_path / "new" / name).verdict(VERDICTS[Outcome.FAIL])
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["console", "html", "json", "junit"]


def test_a_file_that_cannot_be_written_is_a_message(tmp_path) -> None:
    """A target that is a folder is refused in words, and the half-written file is gone."""
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
    """One case a question; only a pass has neither failures nor errors."""
    suite = next(iter(junitparser.JUnitXml.fromstring(junit.render(VERDICTS[outcome]))))
    assert suite.tests == len(list(suite)) == len(answers(VERDICTS[outcome]))
    assert (suite.failures + suite.errors == 0) == (outcome is Outcome.PASS)
    assert {p.name: p.value for p in suite.properties()}["verdict"] == outcome


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.ERROR])
def test_junit_is_never_green_without_a_pass(outcome: Outcome) -> None:
    """A verdict that lost its events still yields an error."""
    hollow = Verdict(outcome, SUBJECT, PATH, (HOUR,) if outcome is Outcome.FAIL else (), (), JUDGED, ())
    root = ET.fromstring(junit.render(hollow))
    assert root.findall(".//failure") + root.findall(".//error")


def test_warnings_do_not_fail_a_junit_case() -> None:
    """A warning is told in the output of its case."""
    root = ET.fromstring(junit.render(verdict(REASON)))
    assert not root.findall(".//failure")
    assert "optional now" in (root.findtext(".//system-out") or "")


def test_places_take_the_gravest_state() -> None:
    """A place is born, downstream or not judged as soon as one of its questions is; unasked is not passed."""
    shown = replace(verdict(HOUR, SCORE, CRASH), path=(*PATH, "nobody"))
    states = {p.name: p.state for p in places(shown)}
    assert states == {
        "raw": State.UNJUDGED,
        "store": State.PASSED,
        "features": State.BORN,
        "prediction": State.PROPAGATED,
        "response": State.PASSED,
        "nobody": State.UNASKED,
    }


def test_a_question_that_compared_nothing_is_not_shown_as_passed() -> None:
    """An answer over nothing is no answer, whatever else the verdict says."""
    hollow = Verdict(Outcome.PASS, SUBJECT, ("raw",), (), (), (Evaluated("expectations", "raw", 0),), ())
    assert [a.state for a in answers(hollow)] == [State.UNJUDGED]
    assert [p.state for p in places(hollow)] == [State.UNJUDGED]


def test_the_picture_says_each_state_in_words() -> None:
    """Colour is never the only sign: state, flag and a description for screen readers are text."""
    page = html.render(replace(VERDICTS[Outcome.FAIL], dependencies=("store",)))
    for word in (
        ">born here</text>",
        ">downstream</text>",
        ">pass</text>",
        "store: pass; features: born here; prediction: downstream",
    ):
        assert word in page


@pytest.mark.parametrize("layout", ["across", "down"])
def test_a_dependency_feeds_the_stage_after_it(layout) -> None:
    """A dependency stands beside the path, in its own shape, with an arrow into its stage."""
    drawn = picture(places(VERDICTS[Outcome.FAIL]), {"store"}, layout)
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
    """No clock and no chance in the report."""
    assert html.render(VERDICTS[Outcome.FAIL]) == html.render(VERDICTS[Outcome.FAIL])


def test_a_verdict_without_anything_is_shown() -> None:
    """No path, no question: every sink says inconclusive."""
    nothing = total([], subject=Subject("m"), path=[], planned=[])
    for sink in SINKS.values():
        assert "no check was asked for" in sink(nothing)


def test_evidence_shows_only_what_it_knows() -> None:
    """Cell values under an unknown name, or smuggled in as rows of keys, stay unseen and are counted."""
    shown = evidence({"values": [4111], "mismatches": 3, "rows": 5, "amount": 17.5, "keys": [["t-1", 4111]]})
    assert str(shown) == "share 60 %; mismatches 3 of 5"
    assert shown.unseen == 3


@pytest.mark.parametrize("sink", [s for s in SINKS if s != "json"])
def test_no_page_shows_unknown_evidence(sink: str) -> None:
    """An entry named 'values' appears nowhere that a person looks."""
    leaking = replace(HOUR, evidence={"values": ["4111-1111"], "values_before": {"a": "4111-1111"}, "mismatches": 2})
    out = SINKS[sink](verdict(leaking))
    assert "4111" not in out
    assert "values_before" not in out
    assert "mismatches 2" in out


def test_evidence_counts_keys_it_does_not_list() -> None:
    """Eight keys are listed; the others are counted, also where the evidence brings its own count."""
    many = evidence({"worst_keys": [f"t-{i}" for i in range(11)]}).keys[0]
    assert (len(many.keys), many.more) == (8, 3)
    counted = evidence({"missing_keys": {"count": 5000, "sample": ["t-1"]}}).keys[0]
    assert str(counted) == "t-1 and 4,999 more"


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (share(1.0), "100 %"),
        (share(0.99999), "> 99.99 %"),
        (share(0.0000001), "< 0.01 %"),
        (share(0.0), "0 %"),
        (seconds(0.0417), "42 ms"),
        (seconds(0.9996), "1.0 s"),
        (seconds(200), "3 min 20 s"),
        (seconds(float("nan")), "nan"),
        (number(1234567), "1,234,567"),
        (number(True), "yes"),
        (number(float("inf")), "inf"),
    ],
)
def test_numbers_read_as_people_write_them(shown: str, words: str) -> None:
    """Units are chosen, and nearly all never reads as all."""
    assert shown == words


def test_progress_speaks_to_people_only() -> None:
    """On a terminal each answer is a line with its findings; in a pipe there is silence."""
    events = [HOUR, JUDGED[2], JUDGED[0], SILENT]
    said = {}
    for terminal in (True, False):
        out = io.StringIO()
        sink = console.Progress(Console(file=out, force_terminal=terminal, color_system=None, width=120))
        sink.planned([Case("x")] * 4)
        for event in events:
            sink.event(event)
        said[terminal] = out.getvalue()
    assert said[False] == ""
    assert [line[0] for line in said[True].splitlines()] == ["✗", "✓", "?"]
    assert "1 finding" in said[True].splitlines()[0]
    assert "cached" in said[True]


def test_how_far_a_long_question_is_stands_on_one_line() -> None:
    """Each step takes the line of the one before, and the answer takes it last; nothing is said in a pipe."""
    said = {}
    for terminal in (True, False):
        out = io.StringIO()
        sink = console.Progress(Console(file=out, force_terminal=terminal, color_system=None, width=60))
        sink.planned([Case("load", "service")])
        sink.progress(0, 3, "run 1 of 3")
        sink.progress(1, 3, "run 2 of 3: " + "very long " * 20)
        sink.event(Evaluated("load", "service", 10))
        said[terminal] = out.getvalue()
    assert said[False] == ""
    first, second, answer = said[True].removeprefix("\r\x1b[2K").split("\r\x1b[2K")
    assert first == "  0 of 3: run 1 of 3"
    assert second.startswith("  1 of 3: run 2 of 3")
    assert len(second) < 60
    assert answer.startswith("✓ service · load")


def test_a_console_without_unicode_is_served() -> None:
    """Marks and names are spelled in the letters that the terminal has."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    console.show(verdict(replace(HOUR, column="größe→")), Console(file=out, width=100))
    out.flush()
    assert b"gr\\xf6\\xdfe\\u2192" in raw.getvalue()


def test_markdown_keeps_to_its_room() -> None:
    """A description of any number of findings fits, and what is left out is counted."""
    page = markdown.findings_markdown(verdict(*[replace(HOUR, column=f"c{i}") for i in range(300)]))
    assert len(page) <= markdown.ROOM
    assert "did not fit" in page


def test_rows_list_born_errors_first() -> None:
    """A table of findings begins with what to mend."""
    rows = markdown.findings_rows([REASON, SCORE, HOUR])
    assert [r["column"] for r in rows] == ["hour", "score", ""]
    assert rows[0]["born"] == "here"
    assert rows[1]["born"] == "downstream"
