"""What a person reads on the pages of a registry: names, titles, links, and his own text as he wrote it."""

from __future__ import annotations

import pytest

from seatrial.events import Case, Evaluated, Finding, NotEvaluated, Severity, Subject, Verdict, total
from seatrial.registry.descriptions import END, with_verdict
from seatrial.registry.mlflow.pages import pages, version_page
from seatrial.registry.protocol import Version
from seatrial.registry.runs import description_texts, reason_tags
from seatrial.sinks.links import Link, links_markdown, links_text
from seatrial.sinks.markdown import findings_markdown, findings_rows, headline, where

URI = "models:/payments/2"
LATER = Finding("golden", "response", "'score' differs.", "score", downstream=True)
HOUR = Finding("expectations", "features", "'hour' differs.", "hour", cause="clock", advice="Use UTC.")
NOTE = Finding("contract", None, "The field 'reason' is new.", severity=Severity.WARNING)


def verdict(*events: object, model: str = "payments", version: str = "2") -> Verdict:
    done = Evaluated("golden", "features", 500)
    return total(
        [done, *events],  # type: ignore[list-item]
        subject=Subject(model, version), path=["features", "response"], planned=[Case("golden", "features")],
    )  # fmt: skip


FAILED = verdict(LATER, HOUR, NOTE)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (FAILED, "fail · payments 2 · features.hour"),
        (verdict(), "pass · payments 2"),
        (verdict(NotEvaluated("resilience", None, "It did not fire.")), "inconclusive · payments 2 · resilience"),
        (verdict(NotEvaluated("run", None, "The process ended.", crashed=True)), "error · payments 2"),
        (verdict(HOUR, model="two\nlines", version=""), "fail · two\\nlines · features.hour"),
    ],
)
def test_a_name_begins_with_the_outcome_and_ends_with_the_place(shown: Verdict, expected: str) -> None:
    """Runs of MLflow and Prefect are named so; the text is of one line, whatever the names."""
    assert headline(shown) == expected


def test_a_finding_of_many_columns_names_one_and_counts_the_others() -> None:
    """One cause, one name."""
    assert where(verdict(Finding("expectations", "raw", "3 differ.", "a", evidence={"columns": ["a", "b", "c"]}))) == (
        "raw.a +2"
    )


def test_findings_carry_their_number_in_the_verdict() -> None:
    """The number is the place in the verdict, whatever order the page has; the command shows the first origin."""
    page = findings_markdown(FAILED, uri=URI)
    hour, note, later = (
        next(n for n, f in FAILED.numbered.items() if f.message == m.message) for m in (HOUR, NOTE, LATER)
    )
    assert page.startswith("seatrial: fail · payments 2 · features.hour\n---\n")
    assert page.index(f"- {hour} · **features** · **hour**") < page.index(f"- {note} · **whole path**: warning")
    assert f"`seatrial show models:/payments/2 {hour}`" in page
    assert [row["number"] for row in findings_rows(FAILED)] == [str(n) for n in (hour, later, note)]
    assert "seatrial show" not in findings_markdown(verdict(), uri=URI)
    assert "seatrial show" not in findings_markdown(FAILED, uri="models:/a`b/2")


def test_runs_are_searched_by_their_reason() -> None:
    """Check, stage, column and cause of the first origin; a pass has none."""
    assert reason_tags(FAILED) == {
        "seatrial.check": "expectations",
        "seatrial.stage": "features",
        "seatrial.column": "hour",
        "seatrial.cause": "clock",
    }
    assert reason_tags(verdict()) == {}


@pytest.mark.parametrize(("before", "after"), [("", ""), ("Ours.\n\n", "\n\nAlso ours."), ("seatrial: fail\n", "\n")])
def test_the_text_of_people_around_the_verdict_stays(before: str, after: str) -> None:
    """However often the verdict is written: it replaces its own part alone."""
    written = f"{before}seatrial: pass\n---\n{END}{after}"
    for outcome in (FAILED, verdict(), FAILED):
        text = description_texts(outcome)[0].rstrip()
        written = with_verdict(written, [text], "", 9_000)
        assert written == f"{before}{text}\n\n{END}{after}"


def test_the_first_verdict_follows_what_people_wrote() -> None:
    """Also where they wrote about seatrial, or deleted the title of its part."""
    end = f"seatrial: pass\n\n{END}"
    assert with_verdict("", ["seatrial: pass"], "", 900) == end
    assert with_verdict("By Ann.\n", ["seatrial: pass"], "", 900) == f"By Ann.\n\n{end}"
    known = f"seatrial: fail is known.\n\n{END}"
    assert with_verdict(known, ["seatrial: pass"], "", 900) == f"{known}\n\n{end}"


def test_a_link_names_the_server_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or, where nothing serves the store, the command that does."""
    version = Version("pay ments/x", "2", 1, "", "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:secret@mlflow.example/")
    (link,) = pages(version, "")
    assert link == Link("Model version", "https://mlflow.example/#/models/pay%20ments%2Fx/versions/2")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////a folder/mlflow.db")
    (link,) = pages(version, "")
    assert link.address.startswith("http://127.0.0.1:5000/#/models/")
    assert links_text([link])[1].endswith("mlflow server --backend-store-uri 'sqlite:////a folder/mlflow.db'")
    assert links_markdown([link]) == ""


def test_no_link_is_made_of_what_markdown_could_misread() -> None:
    """An address is taken as it is, or left out."""
    assert links_markdown([Link("run", f"#{version_page('a', '1')[1:]}"), Link("x", "javascript:alert(1)")]) == (
        "[run](#/models/a/versions/1)"
    )
    assert links_markdown([Link("x", "http://h/a) [b](http://evil")]) == ""
