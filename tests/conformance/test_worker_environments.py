"""One reference and one pipeline, judged here, run by workers in other environments, with the same verdict."""

import shutil
import subprocess
import sys

import pytest

from seatrial import Outcome
from seatrial.errors import UsageError
from seatrial.isolation.capture import capture_in
from seatrial.isolation.opening.project import open_replayer
from tests.support import shop


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return shop.save_model(tmp_path_factory.mktemp("logged") / "model")


@pytest.fixture(scope="module")
def reference(tmp_path_factory, model):
    """Captured here."""
    return shop.captured(tmp_path_factory.mktemp("trained"), model)


@pytest.fixture(params=["ours", "old", "model"])
def settings(request):
    """What the project says about its environment."""
    if request.param == "old":
        return {"python": str(request.getfixturevalue("old_python"))}
    if request.param == "model":
        pytest.importorskip("uv", reason="uv is not installed")
        return {"python": "model"}
    return {}


def test_a_version_passes_in_each_environment_and_a_skew_fails_at_its_place(tmp_path, settings, model, reference):
    """The judge has no library of theirs; a difference of libraries is told, and alone fails nothing."""
    found = shop.verdict(shop.project(tmp_path / "clean", **settings), model, reference)
    assert found.outcome is Outcome.PASS, found.summary
    assert {e.check for e in found.evaluated} == {*shop.CHECKS}
    told = [f for f in found.findings if f.cause == "library-skew"]
    assert bool(told) == bool(settings)
    assert all("in the worker" in f.message for f in told)
    skewed = shop.PIPELINE.replace(".dt.hour.astype", '.dt.tz_convert("Europe/Berlin").dt.hour.astype')
    if settings.get("python") == "model":  # the environment that was built is used again
        shutil.copytree(tmp_path / "clean" / ".seatrial", tmp_path / "skewed" / ".seatrial", symlinks=True)
    failed = shop.verdict(
        shop.project(tmp_path / "skewed", skewed, **settings), model, reference, only=("expectations",)
    )
    assert (failed.outcome, failed.first_failing_stage) == (Outcome.FAIL, "features")
    assert {f.column for f in failed.errors if f.stage == "features" and f.check == "expectations"} == {"hour"}


def test_what_the_old_one_captured_passes_here(tmp_path, old_python, model):
    """Captured by a worker there, judged by ours, run in either."""
    there = shop.project(tmp_path / "old", python=str(old_python))
    with open_replayer(there) as replayer:
        replayer.pipeline()
        reference = capture_in(replayer, shop.requests(), model=model)
    assert reference.manifest["environment"]["libraries"]["pandas"].startswith("2.1")
    for root, settings in (("here", {}), ("there", {"python": str(old_python)})):
        found = shop.verdict(
            shop.project(tmp_path / root, **settings), model, reference, only=("expectations", "golden")
        )
        assert found.outcome is Outcome.PASS, found.summary


def test_an_environment_that_cannot_be_built_is_inconclusive(tmp_path, model, reference, monkeypatch):
    """Never incompatible: the reason is the index, and nothing was judged."""
    pytest.importorskip("uv", reason="uv is not installed")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    found = shop.verdict(shop.project(tmp_path, python="model"), model, reference)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "environment" in found.summary
    assert not found.evaluated


def test_an_interpreter_that_is_not_there_is_named(tmp_path, model, reference):
    """With the nearest one that is."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    with pytest.raises(UsageError, match=r"no such interpreter.*Did you mean '\.venv/bin/python'"):
        shop.verdict(shop.project(tmp_path, python=".venv/bin/pyton"), model, reference)


def test_an_interpreter_without_pandas_is_inconclusive(tmp_path, model, reference):
    """It is not the model's fault, and the reason is what the interpreter printed."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    found = shop.verdict(shop.project(tmp_path / "p", python=str(bare / "bin" / "python")), model, reference)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "No module named" in found.summary
