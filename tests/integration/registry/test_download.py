"""Files that a store has and that do not arrive are the environment's fault; those that are gone are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from seatrial.errors import RegistryError
from seatrial.registry.mlflow.artifacts import download
from seatrial.registry.mlflow.client import registry_errors
from seatrial.registry.unavailable import is_unavailable


@pytest.fixture
def run_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A run with a file, in a store of MLflow's own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = mlflow.create_experiment("runs", (tmp_path / "files").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_text("text", "kept/file.txt")
        yield run.info.run_id


def test_what_is_listed_and_does_not_arrive_is_tried_again(run_id: str, tmp_path: Path) -> None:
    """MLflow says that there is no such path, whatever went wrong; here a link that leads nowhere."""
    [file] = (tmp_path / "files").rglob("kept/file.txt")
    file.rename(tmp_path / "aside")
    file.symlink_to(tmp_path / "nowhere")
    with pytest.raises(RegistryError, match="the path is correct") as caught, registry_errors("downloaded", "it"):
        download(tmp_path / "here", listed=True, run_id=run_id, artifact_path="kept")
    assert is_unavailable(caught.value)
    file.unlink()
    (tmp_path / "aside").rename(file)
    assert (download(tmp_path / "there", run_id=run_id, artifact_path="kept") / "file.txt").read_text() == "text"


def test_what_the_store_does_not_have_is_not(run_id: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError) as caught, registry_errors("downloaded", "it"):
        download(tmp_path / "here", run_id=run_id, artifact_path="gone")
    assert not is_unavailable(caught.value)
