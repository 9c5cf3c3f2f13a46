"""The registry on Azure Machine Learning, through the two stores of its plugin, which takes no MLflow above 3.15.0.

The stand-in answers below the path of a workspace, has no requests for inputs of runs, and finds no experiment by a
name with a slash. It stores no files. Run by ``python tests/conformance/versions.py azureml``, and by the weekly job.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import pytest

pytest.importorskip("azureml.mlflow", reason="the plugin takes no MLflow as new as this one")
from azureml.mlflow import entry_point_loaders
from azureml.mlflow._internal.service_context_loader import _AzureMLServiceContextLoader
from azureml.mlflow._internal.utils import ServiceContext
from azureml.mlflow._store.artifact.artifact_repo import AzureMLflowArtifactRepository
from azureml.mlflow._store.model_registry.model_registry import AzureMLflowModelRegistry
from azureml.mlflow._store.tracking.store import AzureMLRestStore
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from seatrial.errors import RegistryError
from seatrial.registry import Fetched
from seatrial.registry.mlflow import tracking
from seatrial.registry.mlflow.client import client
from seatrial.registry.mlflow.registry import MLflowRegistry
from seatrial.registry.runs import run_payload
from seatrial.testing.samples import sample_reference, sample_verdict
from tests.support.databricks.catalog import Refused
from tests.support.databricks.workspace import serving

pytestmark = pytest.mark.server
SCOPE = "/subscriptions/s/resourceGroups/r/providers/Microsoft.MachineLearningServices/workspaces/w"
URI = f"azureml://eastus.api.azureml.ms/mlflow/v2.0{SCOPE}"


class Below:
    """MLflow's handlers below the path of a workspace, for whoever has the token."""

    closed = False

    def __init__(self, folder: Path) -> None:
        self.files, self.url = folder / "files", ""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> None:
        del method
        if flask.request.headers.get("Authorization") != "Bearer of-azure":
            raise Refused("UNAUTHENTICATED", "No token.", 401)
        if path.endswith("/runs/log-inputs"):
            raise Refused("ENDPOINT_NOT_FOUND", "", 404)
        if path.endswith("/experiments/get-by-name") and "/" in body["experiment_name"]:
            raise Refused("RESOURCE_DOES_NOT_EXIST", "No such experiment.", 404)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Below]:
    """A workspace, by a tracking address as Azure shows it; the plugin is told where it is and given a token."""
    folder = tmp_path_factory.mktemp("azure")
    made = Below(folder)
    root, below = str(folder / "artifacts"), f"/mlflow/v2.0{SCOPE}"
    with serving(made, folder, root, below) as url, pytest.MonkeyPatch.context() as patch:
        auth = SimpleNamespace(get_token=lambda *_: SimpleNamespace(token="of-azure"))
        cloud = SimpleNamespace(_get_default_scope=lambda: "scope")
        context = ServiceContext(url, "s", "w", "r", auth, cloud=cloud)
        patch.setitem(_AzureMLServiceContextLoader._tracking_uri_to_service_context, URI, context)
        patch.setenv("MLFLOW_TRACKING_URI", URI)
        patch.delenv("MLFLOW_REGISTRY_URI", raising=False)
        yield made


def test_versions_are_found_tagged_and_given_aliases(server: Below, tmp_path: Path) -> None:
    """Each call is one that the plugin's stores make and MLflow's handlers take."""
    store = client()
    assert isinstance(store._tracking_client.store, AzureMLRestStore)
    assert isinstance(store._get_registry_client().store, AzureMLflowModelRegistry)
    run = store.create_run("0").info
    store.create_registered_model("payments")
    store.create_model_version("payments", f"{run.artifact_uri}/model", run.run_id)
    version = MLflowRegistry.resolve("models:/payments/1")
    assert MLflowRegistry.changed_since() == [version]
    MLflowRegistry.annotate(version, {"seatrial.verdict": "pass"}, ["seatrial: pass\n---\n"])
    assert MLflowRegistry.resolve(version.uri).tags == {"seatrial.verdict": "pass"}
    assert MLflowRegistry.move_alias(version, "champion")
    assert MLflowRegistry.resolve("models:/payments@champion").number == "1"

    body = run_payload(sample_verdict(), Fetched(version, tmp_path, "sha256:0", sample_reference()))
    experiment = tracking._experiment(store, body["model"])
    logged = tracking._existing_run(store, experiment, "key") or tracking._created_run(store, experiment, body, "key")
    tracking._log_numbers(store, logged, body)
    assert tracking._existing_run(store, experiment, "key").data.tags["seatrial.verdict"] == "pass"
    assert store.get_experiment(logged.info.experiment_id).name == "seatrial-payments"


def test_a_plugin_that_goes_with_this_mlflow_is_taken(server: Below) -> None:
    """It makes MLflow's store of files for a run, with all that MLflow tells it; nothing is refused."""
    client(files=True)
    where = get_artifact_repository(f"{URI}/experiments/e/runs/r/artifacts", tracking_uri=URI)
    assert isinstance(where, AzureMLflowArtifactRepository)
    assert where.tracking_uri == URI


def test_files_are_refused_before_anything_is_written(
    server: Below, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a plugin from before MLflow 3: one sentence for what would end in a TypeError, after the run was made."""
    monkeypatch.setattr(entry_point_loaders, "azureml_artifacts_builder", lambda artifact_uri=None: None)
    said = r"azureml-mlflow [\d.post]+ cannot store or read files under MLflow [\d.]+\. .*'seatrial\[azureml\]'"
    with pytest.raises(RegistryError, match=said):
        MLflowRegistry.tracker.log_run({"model": "shop"}, tmp_path)
    with pytest.raises(RegistryError, match=said):
        MLflowRegistry.store_reference(sample_reference(), "0" * 32)
