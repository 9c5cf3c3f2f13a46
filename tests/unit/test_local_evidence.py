"""Local evidence: what is kept of a finding, within which bounds, who may read it, and for how long."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pandas as pd
import pytest

from seatrial import Pipeline, Policy, capture, run
from seatrial.checks import named
from seatrial.checks.engine import run_case
from seatrial.checks.side_by_side import keep_rows, value_at
from seatrial.cli.app import main
from seatrial.errors import UsageError
from seatrial.events import Evaluated, Finding, Severity, Subject, total
from seatrial.events.event import Case
from seatrial.events.local import BODY, CELL, ROWS, TEXT, Exchange, LocalEvidence, Log, Pair, Raised, Rows, relevant
from seatrial.parity.compare import compare
from seatrial.sinks.files import new_directory, write_results
from seatrial.sinks.local.places import private_folder
from seatrial.sinks.local.read import latest
from seatrial.sinks.local.store import write_local
from seatrial.sinks.retention import Retention
from seatrial.sinks.secrets import secrets_of
from seatrial.trial import Trial

SECRET = b"carried-7f"
LONG = Retention(20, 86_400.0, 2**20)
REQUESTS = pd.DataFrame({"id": ["a", "b"], "x": [1.0, 2.0]})


def trial() -> Trial:
    pipeline = Pipeline("shop", key="id", raw=lambda f: f, score=lambda f: f)
    made = Trial(pipeline, capture(pipeline, REQUESTS), policy=Policy())
    made.local = LocalEvidence()
    return made


def kept(expected: pd.DataFrame, actual: pd.DataFrame, **options: object) -> list[Rows]:
    own = trial()
    parity = compare(expected, actual, key="id", **options)  # type: ignore[arg-type]
    keep_rows(own, "golden", "score", parity, expected, actual, "stage replay")
    return [r for r in own.local.records if isinstance(r, Rows)]


def test_rows_that_differ_are_kept_side_by_side_with_their_types():
    """Text is in quotes and numbers are not, so that "1" and 1 can be told apart."""
    [rows] = kept(pd.DataFrame({"id": ["a", "b"], "x": ["1", "2"]}), pd.DataFrame({"id": ["b", "a"], "x": [2, 1]}))
    assert rows.column == "x"
    assert set(rows.rows) <= {Pair("a", '"1"', "1"), Pair("b", '"2"', "2")}


def test_the_place_inside_a_cell_comes_first():
    """The path of the largest difference, with the values there, is before the whole cells."""
    cells = [[{"boxes": [{"score": s}], "label": "cat"}] for s in (0.75, 0.5)]
    [rows] = kept(pd.DataFrame({"id": ["a"], "result": cells[0]}), pd.DataFrame({"id": ["a"], "result": cells[1]}))
    assert rows.rows[0] == Pair("a at result.boxes[0].score", "0.75", "0.5")
    assert json.loads(rows.rows[1].answer or "")["boxes"] == [{"score": 0.5}]


def test_rows_and_columns_of_one_side_only_are_kept():
    """A missing row is given whole, a missing column by its first values."""
    expected = pd.DataFrame({"id": ["a", "b"], "x": [1.0, 2.0], "old": [5, 6]})
    found = {r.column: r for r in kept(expected, pd.DataFrame({"id": ["a", "c"], "x": [1.0, 3.0], "new": [7, 8]}))}
    assert found["id"].rows == (
        Pair("b", '{"id":"b","x":2.0,"old":6}', None),
        Pair("c", None, '{"id":"c","x":3.0,"new":8}'),
    )
    assert found["old"].rows[0] == Pair("a", "5", None)
    assert found["new"].rows[0] == Pair("a", None, "7")


def test_infinity_and_null_are_shown():
    """JSON has neither; a person must see both."""
    [rows] = kept(
        pd.DataFrame({"id": ["a", "b"], "x": [1.0, None]}), pd.DataFrame({"id": ["a", "b"], "x": [float("inf"), 2.0]})
    )
    assert set(rows.rows) == {Pair("a", "1.0", '"inf"'), Pair("b", "null", "2.0")}


def test_what_is_equal_is_not_kept():
    """Nothing is kept of a stage that matches, nor where nothing is to be kept at all."""
    frame = pd.DataFrame({"id": ["a"], "x": [1.0]})
    assert kept(frame, frame.copy()) == []
    off = LocalEvidence(0)
    off.keep(Log("golden", "service", "text"))
    assert (bool(off), off.records) == (False, ())


@pytest.mark.parametrize("path", [".boxes[3].score", ".nothing", "[0]"])
def test_a_path_that_leads_nowhere_is_told(path: str):
    """It is a KeyError, and the row is kept without it."""
    with pytest.raises(KeyError):
        value_at({"boxes": [{"score": 1.0}]}, path)


def test_records_are_bounded_each_and_together():
    """Rows, cells, texts and bodies are cut; more of the same, and what exceeds the sum, is not kept."""
    local = LocalEvidence()
    local.keep(Rows("golden", "s", "x", "stage replay", tuple(Pair("k" * 9_000, "v" * 9_000, None) for _ in range(50))))
    local.keep(Raised("s", "raised", "t" * 99_000 + "last"))
    local.keep(Exchange("golden", "service", "status-500", body=b"x" * (BODY + 1), answer=b"y" * 99_000))
    rows, raised, exchange = local.records
    assert isinstance(rows, Rows)
    assert len(rows.rows) == ROWS + 1
    assert max(len(p.reference or "") for p in rows.rows) < CELL + 30
    assert isinstance(raised, Raised)
    assert raised.text.endswith("last")
    assert len(raised.text) < TEXT + 30
    assert isinstance(exchange, Exchange)
    assert (exchange.body, len(exchange.answer)) == (b"", TEXT)
    assert f"{BODY + 1:,} bytes" in exchange.note
    for n in range(10):
        local.keep(Exchange("golden", "service", "status-503", keys=(str(n),)))
    assert sum(isinstance(r, Exchange) and r.cause == "status-503" for r in local.records) == 3
    small = LocalEvidence(5_000)
    for place in "abcdef":
        small.keep(Raised(place, "raised", "t" * 1_500))
    assert len(small.records) == 2


def test_a_finding_gets_what_belongs_to_it():
    """By check, place, column, cause and key: the exchange of another failure is not shown."""
    right = Exchange("golden", "service", "status-500", keys=("r7",))
    others = [
        Exchange("golden", "service", "status-422", keys=("r8",)), Exchange("contract", "service", "status-500"),
        Exchange("golden", "service", "differs", column="x", keys=("r9",)), Log("contract", "service", "text"),
        Raised("score", "Stage 'score' raised KeyError.", "text"), Rows("golden", "score", "x", "replay", ()),
    ]  # fmt: skip
    failed = Finding("golden", "service", "No answer.", cause="status-500", evidence={"keys": ["r7"]})
    assert relevant(failed, [*others, right]) == [right]
    differs = Finding("golden", "service", "'x' differs.", column="x", cause="rounding", evidence={"keys": ["r9"]})
    assert relevant(differs, [*others, right]) == [others[2]]
    broke = Finding("expectations", "score", "Stage 'score' raised KeyError.", cause="stage-broke")
    assert relevant(broke, others) == [others[4]]
    together = Finding("golden", "score", "2 columns differ.", column="y", evidence={"columns": ["y", "x"]})
    assert relevant(together, others) == [others[5]]


def test_a_stage_that_depends_on_its_batch_has_its_answers_side_by_side():
    """In one batch, and varied: what is beside what is said."""
    pipeline = Pipeline("shop", key="id", raw=lambda f: f, score=lambda f: f.assign(x=f["x"] / f["x"].sum()))
    requests = pd.DataFrame({"id": [f"t{n}" for n in range(30)], "x": [1.0 + n for n in range(30)]})
    with Trial(pipeline, capture(pipeline, requests)) as own:
        own.local = LocalEvidence()
        [check] = named(["invariants"])
        found = [e for e in run_case(check, own, Case("invariants", "score")) if isinstance(e, Finding)]
        kept = relevant(found[0], own.local.records)
    assert found[0].column == "x"
    assert isinstance(kept[0], Rows)
    assert kept[0].sides == ("in one batch", "varied")
    assert all(pair.reference != pair.answer for pair in kept[0].rows)


# --- on disk ---------------------------------------------------------------------------------------------


def validated(
    state: Path, local: LocalEvidence, *findings: Finding, retention: Retention = LONG, version: str = "1"
) -> Path:
    events = [*findings, Evaluated("golden", "score", compared=1)]
    verdict = total(events, subject=Subject("shop", version), path=["score"], planned=[Case("golden", "score")])
    folder = new_directory(state, verdict.subject)
    write_results(verdict, events, folder)
    write_local(state, folder, local, retention)
    return folder


def of(*records: Rows | Exchange | Raised | Log) -> LocalEvidence:
    local = LocalEvidence()
    for record in records:
        local.keep(record)
    return local


def test_it_is_for_its_owner_alone_and_in_no_folder_of_results(tmp_path: Path):
    """Folders 0700, files 0600, whatever the umask; nothing beside the report."""
    before = os.umask(0)
    try:
        folder = validated(
            tmp_path, of(Log("golden", "score", "text"), Exchange("golden", "service", "x", body=b"\xff"))
        )
    finally:
        os.umask(before)
    private = private_folder(tmp_path, folder)
    assert {f.name for f in private.iterdir()} == {"evidence.json", "body-1.bin"}
    for path in [private, private.parent, private.parent.parent]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in private.iterdir()} == {0o600}
    assert sorted(f.name for f in folder.iterdir()) == ["junit.xml", "report.html", "verdict.json"]


def test_secrets_are_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Neither those that requests carried nor those of this environment, in no form of theirs."""
    monkeypatch.setenv("SHOP_API_KEY", "env-s3cret-31")
    monkeypatch.setenv("SHOP_STORE", "redis://ann:pass-w0rd@db/0")
    local = of(
        Raised("score", "raised", "no access for env-s3cret-31 at redis://ann:pass-w0rd@db"),
        Exchange("golden", "service", "x", headers={"x": "{env:KEY}"}, body=b"carried-7f " * 4_000, answer=SECRET),
    )  # fmt: skip
    local.secrets = (SECRET.decode(),)
    folder = private_folder(tmp_path, validated(tmp_path, local))
    written = b"".join(f.read_bytes() for f in folder.iterdir())
    assert len(list(folder.iterdir())) == 2
    for secret in (b"env-s3cret-31", b"pass-w0rd", b"carried-7f"):
        assert secret not in written
    assert b"{env:KEY}" in written
    assert secrets_of({"PATH": "/usr/bin", "MAX_TOKENS": "4096 and more"}) == []


def test_the_oldest_is_deleted_first(tmp_path: Path):
    """By number, by age and by size; none at all where nothing is to be kept."""
    made = []
    for n in range(4):
        folder = private_folder(tmp_path, validated(tmp_path, of(Log("golden", "score", "t" * 900))))
        os.utime(folder, (folder.stat().st_mtime - 100 * (4 - n),) * 2)
        made.append(folder)

    def left(*limits: float) -> list[bool]:
        write_local(tmp_path, made[0], LocalEvidence(), Retention(int(limits[0]), limits[1], int(limits[2])))
        return [folder.exists() for folder in made]

    assert left(3, 1e6, 1e6) == [False, True, True, True]
    assert left(3, 250, 1e6) == [False, False, True, True]
    assert left(3, 1e6, 1_500) == [False, False, False, True]
    assert left(0, 1e6, 1e6) == [False] * 4


def test_what_was_written_is_read_back(tmp_path: Path):
    """Every kind of record, bodies of their own files too."""
    records = (
        Rows("golden", "score", "x", "stage replay", (Pair("a", "1.0", None),)), Raised(None, "raised", "text\x1b[31m"),
        Exchange("golden", "service", "status-500", body=b"\xff\n", answer="é".encode(), keys=("a",)),
        Log("", None, "text"),
    )  # fmt: skip
    validated(tmp_path, of(*records))
    back = latest(tmp_path, "models:/shop/1").records
    assert [type(r) for r in back] == [type(r) for r in records]
    assert back[:2] == records[:2]
    assert isinstance(back[2], Exchange)
    assert (back[2].body, back[2].answer, back[2].keys) == (b"\xff\n", "é".encode(), ("a",))


# --- seatrial show ---------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[tool.seatrial]\npipeline = "pipeline.py:pipeline"\n')
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], project: Path, *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["show", *map(str, words), "--project", str(project)])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_without_arguments_the_latest_findings_are_listed_by_number(project: Path, capsys: pytest.CaptureFixture[str]):
    """One line each, errors and downstream told apart; then the number gives the finding in full."""
    here = Finding("golden", "score", "Column 'x' differs.", column="x", advice="Look.", evidence={"keys": ["a"]})
    down = Finding("golden", "score", "Later.", downstream=True, severity=Severity.ERROR)
    validated(
        project / ".seatrial", of(Rows("golden", "score", "x", "replay", (Pair("a", "1.0", "\x1b[2J"),))), here, down
    )
    code, out, _ = shown(capsys, project)
    assert code == 0
    assert "  1  error  score · golden · x: Column 'x' differs.\n  2  downstream  score · golden: Later.\n" in out
    code, out, _ = shown(capsys, project, "1", "1")
    assert "What to do: Look." in out
    assert "  key  training  serving\n  a    1.0       \\x1b[2J\n" in out
    assert "\x1b" not in out
    code, out, _ = shown(capsys, project, "shop/1", "1", "--json")
    assert json.loads(out)["local_evidence"][0]["rows"][0]["reference"] == "1.0"


def test_a_wrong_version_or_number_is_told_with_what_there_is(project: Path, capsys: pytest.CaptureFixture[str]):
    """Nothing validated, an unknown version, an alias, a version of two models, a number beyond the last."""
    assert "No validation has run" in shown(capsys, project)[2]
    validated(project / ".seatrial", LocalEvidence(), Finding("golden", "score", "Differs.", evidence={"keys": ["a"]}))
    for words, told in {
        ("shpo/1",): "Did you mean 'shop/1'?", ("models:/shop@champion",): "is an alias",
        ("9",): "Validated here: shop/1", ("1", "2"): "has 1 finding, and no number 2",
    }.items():  # fmt: skip
        code, _, err = shown(capsys, project, *words)
        assert (code, told in err) == (2, True), err
    assert "seatrial trace shop/1 --key 'a'" in shown(capsys, project, "1", "1")[1]


def test_what_another_release_wrote_is_told(project: Path, capsys: pytest.CaptureFixture[str]):
    """A verdict with other fields is no traceback; a record with other fields neither."""
    folder = validated(
        project / ".seatrial", of(Log("golden", "score", "text")), Finding("golden", "score", "Differs.")
    )
    file = private_folder(project / ".seatrial", folder) / "evidence.json"
    file.write_text(file.read_text().replace('"text"', '"words"', 1))
    assert "evidence.json cannot be read" in shown(capsys, project)[2]
    (folder / "verdict.json").write_text((folder / "verdict.json").read_text().replace('"downstream"', '"behind"'))
    code, _, err = shown(capsys, project)
    assert (code, "was written by another release" in err) == (2, True)


def test_the_latest_of_two_versions_is_shown(tmp_path: Path):
    """Whichever ran last, and each by its number."""
    for version in ("1", "2"):
        folder = validated(tmp_path, LocalEvidence(), version=version)
        os.utime(folder / "verdict.json", (int(version) * 1e9,) * 2)
    assert latest(tmp_path, "1").version == "1"
    assert latest(tmp_path, "shop/2").version == "2"
    with pytest.raises(UsageError, match="Validated here: shop"):
        latest(tmp_path, "3")


def test_no_event_of_a_validation_holds_the_text_of_an_exception() -> None:
    """A run of a stage that raises yields a finding that names type and line."""

    def price(frame: pd.DataFrame) -> pd.DataFrame:
        raise ValueError(f"no such branch: {frame['branch'].iloc[0]}")

    requests = pd.DataFrame({"id": ["t-1"], "branch": ["CANARY"]})
    working = Pipeline("shop", key="id", raw=lambda frame: frame, price=lambda frame: frame.assign(price=1.0))
    broken = Pipeline("shop", key="id", raw=lambda frame: frame, price=price)
    verdict = run(broken, capture(working, requests), ["golden"])
    assert verdict.errors
    assert "ValueError in price" in verdict.errors[0].message
    assert "CANARY" not in verdict.to_json()
