"""Annotations and the job summary of GitHub Actions: complete, bounded, and closed to text that wants out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from seatrial.events import Case, Evaluated, Finding, NotEvaluated, Severity, Subject, Verdict, total
from seatrial.sinks import github
from seatrial.sinks.base import Guarded
from seatrial.sinks.github import GitHub

HOSTILE = "x\n::stop-commands::t\r\n::error::y %0A::z ##[error]w"
LINE = re.compile(r"::(error|warning|notice) (file=[^,:]+,)?(line=\d+,)?title=[^:,\n]+::[^\n\r]*\Z")


def verdict(*events: object) -> Verdict:
    """Return the verdict over these events and a case that passed."""
    case = Case("golden", "features")
    return total(
        [*events, Evaluated("golden", "features", 5)],  # type: ignore[list-item]
        subject=Subject("churn", "3"), path=("raw", "features"), planned=[case], seed=0, seconds=1.0,
    )  # fmt: skip


def printed(sink: GitHub, shown: Verdict, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines that the sink prints."""
    capsys.readouterr()
    sink.verdict(shown)
    return capsys.readouterr().out.splitlines()


def test_a_finding_has_its_number_place_and_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The number is the finding's place in the verdict, where what is downstream comes last and is not shown."""
    sink = GitHub(tmp_path / "summary.md")
    sink.locate = lambda stage: ("src/pipeline.py", 12 if stage == "features" else None)
    origin = Finding("golden", "features", "'hour' differs.", column="hour", advice="Use UTC.")
    down = Finding("golden", "response", "It differs.", downstream=True)
    warning = Finding("contract", None, "A field is unknown.", severity=Severity.WARNING)
    shown = verdict(down, origin, warning)
    first, second = printed(sink, shown, capsys)
    number = shown.findings.index(origin) + 1
    assert first == (
        f"::error file=src/pipeline.py,line=12,title=Finding {number} of churn version 3%3A features · hour · golden"
        "::'hour' differs. What to do: Use UTC."
    )
    assert second.startswith("::warning file=src/pipeline.py,title=Finding 2 of")
    assert "**features** · **hour**" in (tmp_path / "summary.md").read_text()


def test_untrusted_text_stays_in_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a model's author writes into names and messages: one line, one command, no property of its own."""
    sink = GitHub(tmp_path / "summary.md")
    sink.locate = lambda _: (f"a,line=1::{HOSTILE}", 3)
    finding = Finding(HOSTILE, HOSTILE, HOSTILE, column=f",file=/etc/passwd,{HOSTILE}", advice=HOSTILE)
    (line,) = printed(sink, verdict(finding), capsys)
    assert LINE.fullmatch(line), line
    assert line.count("file=") == 2  # the property, and the letters of a name within the title
    assert ",file=" not in line.partition("title=")[2]
    summary = (tmp_path / "summary.md").read_text()
    assert not any(row.lstrip().startswith("::") for row in summary.splitlines())


def test_ten_of_a_kind_are_annotated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub shows no more of a step; the summary has them all."""
    sink = GitHub(tmp_path / "summary.md")
    findings = [Finding("golden", "features", f"Number {n}.", column=f"c{n}") for n in range(30)]
    assert len(printed(sink, verdict(*findings), capsys)) == github.SHOWN
    assert "Number 29" in (tmp_path / "summary.md").read_text()


def test_what_was_not_evaluated_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inconclusive verdict without findings says why; a pass says nothing beside the summary."""
    monkeypatch.setenv(github.SUMMARY, str(tmp_path / "summary.md"))
    sink = GitHub(tmp_path / "summary.md")
    (line,) = printed(sink, verdict(NotEvaluated("load", None, "Too few requests.")), capsys)
    assert line == "::warning title=whole path · load%3A not evaluated::Too few requests."
    assert printed(sink, verdict(), capsys) == []
    assert (tmp_path / "summary.md").read_text().count("seatrial: ") == 2  # a step may run several commands


def test_it_is_on_by_default_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was asked for gets the places of stages; else one is added, with GitHub's own file."""
    monkeypatch.setenv(github.SUMMARY, str(tmp_path / "of-github.md"))
    (added,) = github.github_sinks([], lambda _: ("p.py", 1))
    assert isinstance(added.inner, GitHub)
    assert added.inner.path == tmp_path / "of-github.md"
    mine = Guarded("github", GitHub(tmp_path / "mine.md"))
    assert github.github_sinks([mine], lambda _: ("p.py", 1)) == [mine]
    assert isinstance(mine.inner, GitHub)
    assert mine.inner.locate("features") == ("p.py", 1)


def test_commands_are_stopped_where_text_of_a_model_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a token that nobody can guess, and only in GitHub Actions."""
    tokens = set()
    for on in ("true", "true", "false"):
        monkeypatch.setenv(github.ON, on)
        with github.commands_stopped():
            print("::error::of a model")  # noqa: T201
        lines = capsys.readouterr().out.splitlines()
        if on == "true":
            assert lines[0].startswith("::stop-commands::")
            assert lines[2] == f"::{lines[0].removeprefix('::stop-commands::')}::"
            tokens.add(lines[2])
        else:
            assert lines == ["::error::of a model"]
    assert len(tokens) == 2


@pytest.mark.parametrize("text", ["::error::x", "a\n \t::stop-commands::x", "a ##[error]b", "\r\n::x::", "a\r::x"])
def test_text_on_standard_error_holds_no_command(text: str) -> None:
    """As the runner reads lines: what begins with two colons after spaces, and what has ##[ anywhere."""
    shown = github.harmless(text)
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in shown.splitlines())


def test_the_summary_is_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub takes 1 MiB of a step, and refuses a longer one whole."""
    sink = GitHub(tmp_path / "summary.md")
    many = [Finding("golden", "features", "It differs. " * 20, column=f"c{n}") for n in range(3_000)]
    sink.verdict(replace(verdict(), findings=tuple(many)))
    capsys.readouterr()
    assert 10_000 < (tmp_path / "summary.md").stat().st_size < 200_000
