"""Names, keys and messages are untrusted input: in no output do they become active."""

import base64
import hashlib
import io
import json
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import junitparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from seatrial.events import Evaluated, Finding, Measurement, NotEvaluated, Severity, Subject, Verdict, total
from seatrial.sinks import console, html, junit, markdown
from seatrial.sinks.json import JsonReport
from seatrial.sinks.text import cell, fit, neutral, width

ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></textarea><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "{{ 7*7 }}{% include '/etc/passwd' %}",
    "[link](javascript:alert(1)) ![i](http://evil.example/p.png) <http://evil.example>",
    "www.evil.example https://evil.example a | b | c `code` **bold** # head",
    "[bold red]rich[/] [link=http://evil.example]x[/link] [/nothing]",
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x9b31m \x1b[2J",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200b\u200e\ufeff\U000e0041",
    "line\nline\r\nline\u2028line\tcell\x0b\x0c\x85",
    "]]> <!-- --> <?xml?> <!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]> &e;",
    "\ud800 lone \udfff \x00 \ufffe \uffff \ufdd0",
    '=HYPERLINK("http://evil.example")',
    "A" * 10_000,
    "漢" * 10_000,
    "\u202e" * 10_000,
    "",
]


def hostile(text: str) -> Verdict:
    """Return a failing verdict with ``text`` wherever text from outside can stand."""
    place = text + "stage"
    events = [
        Evaluated(text, place, 5),
        Evaluated(text, None, 5),
        Finding(
            text, place, text, text, cause=text, advice=text, evidence={"worst_keys": [text], text: text, "rows": 3}
        ),
        Finding(text, "response", text, text, downstream=True, evidence={"worst_keys": [text]}),
        Finding(text, None, text, text, severity=Severity.WARNING, evidence={"fault": text}),
        NotEvaluated(text, place, text, crashed=True),
        Measurement(text, place, text, 1.0, text, text),
    ]
    subject = Subject(text or "m", text, text, 10**18, text)
    return total(events, subject=subject, path=[text + "dep", place, "response"], planned=[], reference_digest=text)


class Tags(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page(text: str) -> tuple[str, Tags]:
    """Render the hostile report and parse it."""
    raw = html.render(replace(hostile(text), dependencies=(text + "dep",)))
    tags = Tags()
    tags.feed(raw)
    return raw, tags


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_report_has_no_active_content(attack: str) -> None:
    """Whatever the names are, the page is made of the tags and attributes of the template, and asks nobody."""
    raw, tags = page(attack)
    _, harmless = page("name")
    assert {t for t, _ in tags.tags} <= {t for t, _ in harmless.tags}
    assert not {t for t, _ in tags.tags} & {"script", "img", "iframe", "object", "embed", "link", "form", "base"}
    for _, attributes in tags.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in ("src", "style", "action", "formaction")
            assert name != "href" or re.fullmatch(r"#m-.*|#finding-\d+", value or "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]", raw)
    raw.encode()
    assert len(raw) < 120_000


def test_the_policy_admits_the_style_sheet_and_nothing_else() -> None:
    """The content-security policy denies by default and carries the hash of the page's own style sheet."""
    raw, tags = page("x")
    policies = [a["content"] or "" for t, a in tags.tags if a.get("http-equiv") == "Content-Security-Policy"]
    style = raw[raw.index("<style>") + 7 : raw.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert f"style-src 'sha256-{digest}'" in policies[0]
    assert "unsafe" not in policies[0]
    assert raw.index("Content-Security-Policy") < raw.index("<style>")
    assert not re.search(r"(https?:)?//|url\((?!#)|@import", style)
    assert "://" not in raw


@pytest.mark.parametrize("attack", ATTACKS)
def test_junit_stays_xml(attack: str) -> None:
    """Both parsers read it, and no element comes out of a name."""
    raw = junit.render(hostile(attack))
    known = {"testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "system-out"}
    assert {e.tag for e in ET.fromstring(raw).iter()} <= known
    assert len(junitparser.JUnitXml.fromstring(raw)) == 1


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("terminal", [True, False])
def test_the_console_gets_no_control_characters_from_names(attack: str, terminal: bool) -> None:
    """Besides the colours that the console writes itself, nothing acts on the terminal."""
    out = io.StringIO()
    screen = Console(file=out, width=100, force_terminal=terminal, color_system="standard" if terminal else None)
    sink = console.Progress(screen)
    shown = hostile(attack)
    for event in (*shown.findings, *shown.evaluated, *shown.not_evaluated):
        sink.event(event)
    console.show(shown, screen)
    said = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()) if terminal else out.getvalue()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", said)
    assert len(said) < 60_000


def test_console_markup_in_names_is_text() -> None:
    """Square brackets of a name are printed, not obeyed."""
    out = io.StringIO()
    attack = "[bold red]x[/] [/nothing]"
    console.show(hostile(attack), Console(file=out, width=200))
    assert attack in out.getvalue()


@pytest.mark.parametrize("attack", ATTACKS)
def test_json_is_strict_for_any_name(attack: str, tmp_path) -> None:
    """The file is UTF-8 and strict JSON."""
    JsonReport(tmp_path / "v.json").verdict(hostile(attack))
    text = (tmp_path / "v.json").read_bytes().decode("utf-8")
    assert json.loads(text, parse_constant=pytest.fail)["outcome"] == "fail"


@pytest.mark.parametrize("attack", ATTACKS)
def test_markdown_makes_nothing_of_names(attack: str) -> None:
    """Rendered with raw HTML allowed, a page holds no link, image, HTML or code, and every item stays one item."""
    shown = hostile(attack)
    text = markdown.findings_markdown(shown)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    kinds = {t.type for t in tokens} | {c.type for t in tokens for c in t.children or ()}
    assert not kinds & {"link_open", "image", "html_inline", "html_block", "code_inline", "fence", "em_open"}
    items = sum(t.type == "list_item_open" for t in tokens)
    origins = sum(not f.downstream for f in shown.findings)
    at_origin = {(f.stage, f.column) for f in shown.findings if not f.downstream}
    places = len({f.stage for f in shown.findings if f.downstream and (f.stage, f.column) not in at_origin})
    whole = origins + places + len(shown.not_evaluated)
    assert items == whole or ("did not fit" in text and 0 < items < whole)
    assert not re.search(r"https?://|www\.|[<>]", text)
    assert len(text) <= markdown.ROOM


@pytest.mark.parametrize("attack", ATTACKS)
def test_rows_run_no_formula(attack: str) -> None:
    """No cell of the table of findings begins as a formula."""
    for row in markdown.findings_rows(hostile(attack).findings):
        assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values())


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\u00a0=1", "\n=1"])
def test_a_cell_that_would_run_gets_an_apostrophe(start: str) -> None:
    """Formula starts are disarmed, also behind spaces and in full width."""
    assert cell(start).startswith("'")


def test_numbers_and_plain_words_stay_as_they_are_in_cells() -> None:
    """A negative number is no formula."""
    assert (cell(-3.5), cell("t-00017"), cell("")) == ("-3.5", "t-00017", "")


@given(st.text(st.characters(), max_size=400), st.integers(20, 300))
def test_neutral_text_is_one_bounded_line_of_visible_characters(text: str, limit: int) -> None:
    """For any text: within the limit, printable, encodable; and neutralising it again changes nothing."""
    shown = neutral(text, limit)
    assert len(shown) <= limit
    assert all(c.isprintable() or unicodedata.category(c) == "Zs" for c in shown)
    shown.encode()
    assert neutral(shown, limit) == shown


@given(st.text(st.characters(), max_size=60), st.integers(2, 30))
def test_a_label_keeps_its_width(text: str, columns: int) -> None:
    """A label is never wider than its box."""
    assert width(fit(text, columns)) <= columns + 1e-9


def test_what_cannot_be_seen_is_spelled() -> None:
    """Two names that differ in an invisible character look different."""
    assert neutral("a\u202eb\x1b[31m\n\ud800") == "a\\u202eb\\x1b[31m\\n\\ud800"
    assert neutral("ab") != neutral("a\u200bb")
    assert neutral("größe 漢字 €") == "größe 漢字 €"
    assert neutral("A" * 10_000).endswith("… (10,000 characters)")
