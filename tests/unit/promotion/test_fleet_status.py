"""Where every version stands: one model in four renderings, of a bounded size, and first what needs a person."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from sqlalchemy import insert

from seatrial.events import Outcome
from seatrial.ledger import Facts, Ledger, schema
from seatrial.policy.digest import policy_digest
from seatrial.project import Project
from seatrial.promotion.code import read_code
from seatrial.promotion.fleet import markdown, page, text
from seatrial.promotion.fleet.status import STALE, Group, Status, read
from seatrial.sinks.links import Link
from tests.support.week import Version
from tests.unit.sinks.test_hostile_text import ATTACKS

OUTCOMES = [outcome.value for outcome in Outcome]
BLOCKS = {"p", "br", "tr", "td", "th", "table"}


class Tables(HTMLParser):
    """The cells of every table of a page, as text with a line for each paragraph, and every tag that is used."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self._unseen = self._inside = False
        self.feed(source)
        self.rows = [[re.sub(r"\n+", "\n", cell).strip() for cell in row] for row in self.rows]

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self._unseen = ("class", "unseen") in attrs
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._inside = True
        elif tag in ("p", "br") and self._inside:
            self.rows[-1][-1] += "\n"

    def handle_endtag(self, tag: str) -> None:
        self._unseen = False
        if tag in ("td", "th"):
            self._inside = False
        elif tag == "p" and self._inside:
            self.rows[-1][-1] += "\n"

    def handle_data(self, data: str) -> None:
        if self._inside and not self._unseen:
            self.rows[-1][-1] += data


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of two kinds of models."""
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\nname = "shop"\n')
    (tmp_path / "pipeline.py").write_text("pipeline = None\n")
    monkeypatch.delenv("SEATRIAL_LEDGER_URL", raising=False)
    return Project.find(tmp_path)


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    """The project's ledger."""
    with Ledger.of(project.state) as opened:
        yield opened


def crowd(ledger: Ledger, project: Project, models: int, each: int) -> None:
    """Put versions of many models into the ledger, each with its verdict under the present code and policy."""
    chosen, common = random.Random(7), {"run_id": "", "model_id": "", "scheme": "models", "first_seen": 0.0}
    subjects: list[dict[str, Any]] = []
    for number in range(each):
        subjects += [
            {"id": f"{model}-{number}", "model": f"model-{model}", "version": str(number), **common}
            | {"created": 1_000 + number * models + model}
            for model in range(models)
        ]
    job = {"epoch": 0, "state": "done", "due_at": 0.0, "rank": 0, "token": 1, "attempt": 1, "owner": "", "error": ""}
    now = {"policy_digest": policy_digest(project.expectations), "code_digest": read_code(project).digest}
    digests = dict.fromkeys(["digest", "reference_digest", "evidence_digest"], "") | now
    verdicts = [
        {"subject": s["id"], "epoch": 0, "outcome": chosen.choice(OUTCOMES), "token": 1, "summary": "x" * 2_000}
        | {"created_at": 0.0, "number": 1, **digests}
        for s in subjects
    ]
    with ledger._engine.begin() as connection:
        connection.execute(insert(schema.subject), subjects)
        connection.execute(insert(schema.job), [{"subject": s["id"], **job} for s in subjects])
        connection.execute(insert(schema.verdict), verdicts)


def digested(summary: str) -> Facts:
    """Return a pass with digests."""
    return Facts(
        Outcome.PASS, summary, "sha256:aaaa", policy_digest="sha256:0123456789abcdef", code_digest="sha256:c0de"
    )


def present(project: Project, outcome: Outcome) -> Facts:
    """Return a verdict under the present code and policy."""
    policy, code = policy_digest(project.expectations), read_code(project).digest
    return Facts(outcome, "why", "sha256:aaaa", policy, code_digest=code)


def hostile_status(ledger: Ledger, project: Project) -> Status:
    """Return a status in which every state is, and text from outside is an attack wherever it can stand."""
    for number, attack in enumerate(ATTACKS):
        ledger.observe([Version(attack.replace("\0", "") or "empty", "1", 1_000 + number)])
        job = ledger.claim(attack, 600)
        assert job is not None
        if number % 4 == 0:
            ledger.commit(job, digested(attack), [("log-run", {}), ("tags", {})])
            effect = ledger.next_effect()
            assert effect is not None
            ledger.park_effect(effect, attack)
        elif number % 4 == 1:
            ledger.commit(job, Facts(Outcome.FAIL, attack), [("log-run", {})])
        elif number % 4 == 2:
            ledger.release(job, attack)
    return read(ledger, project)


def test_text_json_markdown_and_page_say_the_same(ledger: Ledger, project: Project) -> None:
    """The same versions in the same order, with the same cells and notes; nothing in them becomes active."""
    status = hostile_status(ledger, project)
    expected = [(*row.cells, "\n".join(row.notes)) for row in status.rows]
    assert {row.group for row in status.rows} == {Group.ATTENTION, Group.PROGRESS}

    shown = Tables(page.render(status, {}))
    headers = [row for row in shown.rows if row[0] == "Version"]
    assert len(headers) == 2
    squeezed = [tuple(" ".join(cell.split()) for cell in row) for row in expected]
    assert [tuple(" ".join(cell.split()) for cell in row[:6]) for row in shown.rows if row[0] != "Version"] == squeezed

    made = Tables(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown.render(status, {})))
    assert made.tags <= {"p", "h3", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}
    assert [tuple(" ".join(cell.split()) for cell in row[:6]) for row in made.rows if row[0] != "Version"] == squeezed

    told = text.body(status)["versions"]
    assert [each["notes"] for each in told] == [list(row.notes) for row in status.rows]
    assert [(each["verdict"] or {"outcome": "none"})["outcome"] for each in told] == [row[1] for row in expected]

    printed = text.lines(status)
    place = 0
    for name, verdict, at, code, policy, notes in expected:
        place = next(n for n in range(place, len(printed)) if printed[n].startswith(name) and verdict in printed[n])
        assert all(part in printed[place] for part in (at, code, policy))
        assert "\n".join(line.strip() for line in printed[place + 1 : place + 1 + len(notes.split("\n"))]) == notes
    for sentence in text.summary(status):
        assert sentence in printed
        assert sentence in page.render(status, {})
        assert sentence in markdown.render(status, {})


@pytest.mark.parametrize("address", ["javascript:alert(1)", 'http://h/"><script>', "http://h/a b", "data:text/html,x"])
def test_a_link_is_of_the_web_or_none(address: str, ledger: Ledger, project: Project) -> None:
    """What a registry says of its pages is untrusted too."""
    ledger.observe([Version("payments", "1", 1)])
    status = read(ledger, project)
    links = {status.rows[0].history.subject: [Link("run", address), Link("version", "https://mlflow.example/1")]}
    shown = page.render(status, links)
    assert 'href="https://mlflow.example/1"' in shown
    assert "<script" not in shown
    assert "javascript:" not in shown
    assert "data:text" not in shown
    made = MarkdownIt("commonmark").enable("table").render(markdown.render(status, links))
    assert re.findall(r'href="([^"]+)"', made) == ["https://mlflow.example/1"]


def test_of_ten_thousand_versions_the_page_is_bounded_and_the_rest_is_counted(ledger: Ledger, project: Project) -> None:
    """First what needs a person, of each group the newest; text, page and artifact count what they leave out."""
    crowd(ledger, project, 40, 50)
    status = read(ledger, project)
    assert (status.versions, len(status.rows)) == (2_000, 100)
    bad = [row for row in read(ledger, project, most=0).rows if row.group is Group.ATTENTION]
    assert {row.history.number for row in bad} == {"49"}, "an old version that failed needs nobody"
    assert [row.group for row in status.rows] == [Group.ATTENTION] * len(bad) + [Group.REST] * (100 - len(bad))
    for group in (Group.ATTENTION, Group.REST):
        created = [row.history.created for row in status.of(group)]
        assert created == sorted(created, reverse=True)
    assert sum(status.outcomes.values()) == 2_000
    rest = f"{1_900:,} more are not shown here."
    assert rest in page.render(status, {})
    assert rest in markdown.render(status, {})
    assert text.lines(status)[-3].startswith("100 of 2,000 versions shown: ")
    assert len(page.render(status, {})) < 150_000
    assert len(markdown.render(read(ledger, project, most=0), {})) < markdown.ROOM + 3_000, "whatever it is given"


def test_what_a_person_is_needed_for(ledger: Ledger, project: Project) -> None:
    """A promoted version that fails later; not one that failed before a newer one, or is being validated again."""
    for number in "123":
        ledger.observe([Version("payments", number, int(number))])
        job = ledger.claim("host")
        assert job is not None
        first = number == "1"
        ledger.commit(job, present(project, Outcome.PASS if first else Outcome.FAIL), [("alias", {})] * first)
        if first:
            effect = ledger.next_effect()
            assert effect is not None
            ledger.complete_effect(effect, '["champion"]')
    groups = lambda: {row.history.number: row.group for row in read(ledger, project).rows}  # noqa: E731
    assert groups() == {"1": Group.REST, "2": Group.REST, "3": Group.ATTENTION}
    ledger.validate_again([Version("payments", "3", 3)])
    assert groups()["3"] is Group.PROGRESS
    again = ledger.claim_version(Version("payments", "1", 1), "host")
    ledger.commit(again, present(project, Outcome.FAIL))
    assert groups()["1"] is Group.ATTENTION
    third = ledger.claim("host")
    assert third is not None
    ledger.drop(third, "no longer registered")
    assert groups() == {"1": Group.ATTENTION, "2": Group.ATTENTION, "3": Group.REST}, "the newest is gone"
    (project.root / "pipeline.py").write_text("pipeline = 1\n")
    assert groups()["2"] is Group.PROGRESS, "it will be validated again"
    assert STALE in next(row for row in read(ledger, project).rows if row.history.number == "2").notes


def test_models_of_another_project_in_the_same_ledger_are_counted_and_not_shown(
    ledger: Ledger, project: Project
) -> None:
    """By the patterns of [tool.seatrial]."""
    (project.root / "pyproject.toml").write_text(
        '[tool.seatrial]\npipeline = "pipeline.py:pipeline"\nmodels = ["payments*"]\n'
    )
    ledger.observe([Version("payments", "1", 1), Version("fraud", "1", 2)])
    status = read(ledger, Project.find(project.root))
    assert [row.history.name for row in status.rows] == ["payments"]
    assert "1 version in this ledger is of a model" in text.summary(status)[-1]
