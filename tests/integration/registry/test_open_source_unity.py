"""The registry in the open-source Unity Catalog: MLflow's own store class, with a stand-in for the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mlflow.models import Model, infer_signature

from seatrial import registry
from seatrial.errors import RegistryError, VersionNotFound
from seatrial.registry import Version
from seatrial.registry.mlflow.client import client
from seatrial.registry.mlflow.registry import MLflowRegistry
from seatrial.registry.runs import description_texts, run_payload
from seatrial.testing.samples import sample_reference, sample_verdict
from tests.support.databricks.workspace import Workspace, serving

pytestmark = pytest.mark.server
NAME = "unity.default.payments"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A server for models, and a database for runs: this catalogue has none."""
    folder = tmp_path_factory.mktemp("unity")
    made = Workspace(folder, open_source=True)
    with serving(made, folder) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_REGISTRY_URI", f"uc:{url}")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'tracking.db'}")
        patch.chdir(folder)
        yield made


@pytest.fixture(scope="module")
def version(server: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Version:
    """A registered version with a file and a reference."""
    files = tmp_path_factory.mktemp("model")
    (files / "weights.txt").write_text("1.5")
    Model(signature=infer_signature(np.zeros((1, 2)), np.zeros(1))).save(str(files / "MLmodel"))
    store = client()
    run = store.create_run(store.create_experiment("training", str(files.parent / "runs"))).info.run_id
    MLflowRegistry.store_reference(sample_reference(), run)
    store.create_registered_model(NAME)
    return MLflowRegistry.resolve(f"models:/{NAME}/{store.create_model_version(NAME, str(files), run).version}")


def test_a_version_is_listed_and_its_files_and_reference_come_back(version: Version, tmp_path: Path) -> None:
    """As from any other registry; a model that is not there has no versions."""
    assert version.registry.startswith("uc:http://127.0.0.1:")
    assert MLflowRegistry.changed_since() == [version]
    assert MLflowRegistry.changed_since(model="unity.default.nobody") == []
    assert MLflowRegistry.changed_since(version.changed + 1.0) == []
    fetched = registry.fetch(version, tmp_path)
    assert sorted(p.name for p in fetched.model.iterdir()) == ["MLmodel", "weights.txt"]
    assert fetched.reference.digest == sample_reference().digest
    assert MLflowRegistry.aliases() == {NAME: {}}


def test_a_verdict_is_shown_in_the_description_alone(server: Workspace, version: Version, tmp_path: Path) -> None:
    """Its run is logged beside; tags are left out, and what people wrote stays."""
    client().update_model_version(NAME, version.number, "By hand.")
    fetched, verdict = registry.fetch(version, tmp_path / "fetched"), sample_verdict()
    (tmp_path / "report.html").write_text("<p>")
    run_id = MLflowRegistry.tracker.log_run(run_payload(verdict, fetched), tmp_path, "key")
    MLflowRegistry.annotate(version, {"seatrial.verdict": "pass"}, description_texts(verdict, version.uri), run_id)
    described = server.catalog.version(NAME, version.number).description
    assert described.startswith("By hand.\n\nseatrial: pass")
    assert client().get_run(run_id).data.tags["seatrial.verdict"] == "pass"


def test_what_it_has_not_is_one_sentence(version: Version, tmp_path: Path) -> None:
    """No alias is moved, and none is taken to be there; numbers alone are numbers."""
    with pytest.raises(RegistryError, match="given no alias: the open-source Unity Catalog has no aliases"):
        MLflowRegistry.move_alias(version, "champion")
    assert registry.with_alias("models", NAME, "champion") is None
    with pytest.raises(RegistryError, match="has no tags in MLflow's client"):
        MLflowRegistry.store_fixture(version, "edges", "sha256:" + "1" * 64, tmp_path)
    for number in ("99", "latest"):
        with pytest.raises(VersionNotFound, match=f"no version '{number}'. Versions: 1"):
            MLflowRegistry.resolve(f"models:/{NAME}/{number}")
