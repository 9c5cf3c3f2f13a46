"""A frame mutant changes what a stage returns, wherever the stages run; a mutant of code needs a process of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from seatrial import Pipeline
from seatrial.errors import IsolationError, ReferenceInvalid, SeatrialError, StageError
from seatrial.isolation import messages
from seatrial.mutation.altered import Altered, Inapplicable
from seatrial.mutation.code_changes import CodeChange
from seatrial.mutation.forks import ForkServer
from seatrial.mutation.mutants import CodeMutant, FrameMutant, bare
from seatrial.pipeline import LocalReplayer, Replayer

REQUESTS = pd.DataFrame({"id": ["a", "b"], "amount": [1.0, 2.0]})


def refuse_large(frame: pd.DataFrame) -> pd.DataFrame:
    if (frame["amount"] > 1000).any():
        raise ValueError("large")
    return frame


path = Pipeline("shop", key="id", first=lambda f: f.assign(amount=f["amount"] + 1), second=refuse_large,
                third=lambda f: f.assign(twice=f["amount"] * 2))  # fmt: skip


def altered(stage: str = "first", operator: str = "times_1000") -> Replayer:
    replayer, pipeline = FrameMutant(operator, stage, ("amount",)).apply(LocalReplayer(path), path)
    assert pipeline is path
    return replayer


def test_a_frame_mutant_changes_its_stage_and_what_comes_after():
    """Alone, in the whole path, and not where its stage is not run; the results of all stages are there."""
    [[alone]] = altered().replay(["first"], [REQUESTS.copy()])
    assert alone["amount"].tolist() == [2000.0, 3000.0]
    [[first, error]] = altered().replay(path.stages, [REQUESTS.copy()])
    assert first.equals(alone)
    assert (error.stage, "ValueError" in str(error)) == ("second", True)
    [[_, second, third]] = altered("second").replay(path.stages, [REQUESTS.copy()])
    assert second["amount"].tolist() == [2000.0, 3000.0]
    assert third["twice"].tolist() == [4000.0, 6000.0]
    [[untouched]] = altered("second").replay(["third"], [REQUESTS.copy()])
    assert untouched["twice"].tolist() == [2.0, 4.0]


def test_each_batch_has_its_own_results():
    """An error of one batch leaves the others alone."""
    large = REQUESTS.assign(amount=5000.0)
    good, bad = altered("third", "negated").replay(path.stages, [REQUESTS.copy(), large])
    assert [len(good), len(bad)] == [3, 2]
    assert isinstance(bad[-1], StageError)
    assert good[-1]["amount"].tolist() == [-2.0, -3.0]


INDEXES = ("shuffled_index", "duplicated_index", "offset_index")


def beside(frame: pd.DataFrame) -> pd.DataFrame:
    """What a stage does that takes the index of its frame to be 0, 1, 2, …."""
    made = pd.Series(range(len(frame)), index=range(len(frame)))
    return frame.assign(n=made.reindex(frame.index).to_numpy())


class Carried(LocalReplayer):
    """Sends frames as they are sent to a worker."""

    def replay(self, stages, batches, **settings):
        from seatrial.worker import frames

        with tempfile.TemporaryDirectory() as folder:
            frames.write(batches, Path(folder) / "given.arrow")
            given = list(frames.read(Path(folder) / "given.arrow", len(batches), indexed=True))
        return super().replay(stages, given, **settings)


@pytest.mark.parametrize("operator", INDEXES)
@pytest.mark.parametrize("replayer", [LocalReplayer, Carried])
def test_an_index_is_handed_over_to_the_next_stage(operator, replayer):
    """By plain calls and to a worker; the stage that is changed returns the same cells."""
    shop = Pipeline("shop", key="id", first=lambda f: f, second=beside)
    rows = pd.DataFrame({"id": list("abcd"), "amount": [1.0, 2.0, 3.0, 4.0]})
    [[_, clean]] = replayer(shop).replay(shop.stages, [rows.copy()])
    changed, _ = FrameMutant(operator, "first", ("id",)).apply(replayer(shop), shop)
    [[first, second]] = changed.replay(shop.stages, [rows.copy()])
    assert first["id"].tolist() == rows["id"].tolist()
    assert second["n"].tolist() != clean["n"].tolist()


def test_an_index_is_not_handed_over_unless_it_is_marked():
    """A probe of single rows gives each of them an index that no service would."""
    shop = Pipeline("shop", key="id", first=lambda f: f, second=beside)
    [[_, second]] = Carried(shop).replay(shop.stages, [REQUESTS.iloc[[1]]])
    assert second["n"].tolist() == [0]


@pytest.mark.parametrize("ordered", [True, False])
def test_categories_are_permuted_and_values_are_not(ordered):
    """A model that reads codes sees others; the order is carried to a worker too."""
    shop = Pipeline("shop", key="id", first=lambda f: f, second=lambda f: f.assign(code=f["kind"].cat.codes))
    rows = pd.DataFrame({"id": [1, 2, 3], "kind": pd.Categorical(["x", "y", "x"], ["x", "y", "z"], ordered=ordered)})
    changed, _ = FrameMutant("permuted_categories", "first", ("kind",)).apply(Carried(shop), shop)
    [[first, second]] = changed.replay(shop.stages, [rows])
    assert first["kind"].astype("object").tolist() == ["x", "y", "x"]
    assert second["code"].tolist() == [2, 1, 2]


def test_a_mutant_that_cannot_be_applied_or_breaks_the_rule_is_an_error_of_its_stage():
    """The first was never in the pipeline, and says so by its cause."""

    def impossible(_):
        raise Inapplicable

    [[wrong]] = Altered(LocalReplayer(path), "first", "id", impossible).replay(["first"], [REQUESTS.copy()])
    assert isinstance(wrong.__cause__, Inapplicable)
    repeats = Altered(LocalReplayer(path), "first", "id", lambda f: pd.concat([f, f]))
    [[wrong]] = repeats.replay(path.stages, [REQUESTS.copy()])
    assert "repeats" in str(wrong)


def test_a_frame_that_no_worker_can_be_given_ends_its_stage():
    """A stage that returned it would end there too."""

    class Strict(LocalReplayer):
        def replay(self, stages, batches, **settings):
            if stages[0] != "first":
                raise ReferenceInvalid("Column 'amount' mixes types.")
            return super().replay(stages, batches, **settings)

    [[error]] = Altered(Strict(path), "first", "id", lambda f: f).replay(path.stages, [REQUESTS.copy()])
    assert (error.stage, str(error)) == ("first", "Column 'amount' mixes types.")


def test_code_is_changed_in_a_process_of_its_own_alone():
    """A pipeline whose stages are called here keeps its code."""
    mutant = CodeMutant(CodeChange(Path("pipeline.py"), 1, 0, "parse", ("first",)))
    with pytest.raises(SeatrialError, match="its code cannot be changed"):
        mutant.apply(LocalReplayer(path), path)


def test_a_bare_pipeline_has_neither_file_nor_service():
    """A fresh process would load it from there, without the mutant."""
    path.source = (Path("pipeline.py"), "path")
    try:
        assert bare(path).source is None
        assert bare(path).stages == path.stages
    finally:
        path.source = None


# --- what a worker names ---------------------------------------------------------------------------------


def naming(file: Path, stages: list[str], root: Path) -> ForkServer:
    """A server whose worker names one definition."""
    record = messages.DefinitionRecord(file=str(file), name="f", first_line=1, last_line=2, stages=stages)
    reply = messages.DefinedReply(id=1, reply="defined", definitions=[record])
    parent = SimpleNamespace(request=lambda *_, **__: reply, pipeline=lambda: path, broken=None)
    return ForkServer(lambda: parent, (root / "pipeline.py", "path"), root=root)


def test_only_code_of_the_project_is_read(tmp_path):
    """A worker may name any file; files outside the project, and what is no code, are not read, links included."""
    (inside := tmp_path / "inside").mkdir()
    (tmp_path / "outside.py").write_text("SECRET = 1\n")
    (inside / "mine.py").write_text("A = 1\n")
    (inside / "link.py").symlink_to(tmp_path / "outside.py")
    assert naming(inside / "mine.py", ["first"], inside).reached().definitions[0].stages == ("first",)
    for file in (tmp_path / "outside.py", inside / ".." / "outside.py", inside / "link.py", inside / "notes.txt"):
        with pytest.raises(IsolationError, match="not of the project"):
            naming(file, ["first"], inside).reached()
    with pytest.raises(IsolationError, match="not of the project"):
        naming(inside / "mine.py", ["fourth"], inside).reached()
