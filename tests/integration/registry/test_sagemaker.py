"""The registry on Amazon SageMaker: MLflow's plugin for it, with MLflow's own handlers behind a check of its requests.

What SageMaker hosts is MLflow; what differs is the address, the signature and a header of each request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from sagemaker_mlflow.mlflow_sagemaker_registry_store import MlflowSageMakerRegistryStore
from sagemaker_mlflow.mlflow_sagemaker_store import MlflowSageMakerStore

from seatrial import testing
from seatrial.reference.snapshot import Reference
from seatrial.registry.mlflow.client import client
from seatrial.registry.mlflow.registry import MLflowRegistry
from tests.support.databricks.catalog import Refused
from tests.support.databricks.workspace import serving

pytestmark = pytest.mark.server
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/shop"
SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-west-1/sagemaker-mlflow/aws4_request, "
    r"SignedHeaders=[a-z0-9;-]*\bx-mlflow-sm-tracking-server-arn\b[a-z0-9;-]*, Signature=[0-9a-f]{64}"
)


class TrackingServer:
    """Refuses a request without signature or without the header that names the server."""

    closed = False

    def __init__(self, folder: Path) -> None:
        self.files, self.url, self.asked = folder / "files", "", list[str]()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> None:
        del body
        headers = flask.request.headers
        if headers.get("x-mlflow-sm-tracking-server-arn") != ARN or not SIGNED.fullmatch(headers["Authorization"]):
            raise Refused("UNAUTHENTICATED", f"Not signed for {ARN}.", 403)
        self.asked.append(f"{method} {path}")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrackingServer]:
    """A tracking server, named by its ARN and answered on this machine."""
    made = TrackingServer(tmp_path)
    with serving(made, tmp_path, str(tmp_path / "artifacts")) as url:
        for variable, value in {
            "MLFLOW_TRACKING_URI": ARN, "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT": url, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true",
        }.items():  # fmt: skip
            monkeypatch.setenv(variable, value)
        monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
        yield made


def register(name: str, files: Path, reference: Reference | None) -> str:
    """Log a run with its files and a reference, and register the model, as a training job does."""
    store = client()
    run = store.create_run("0").info
    store.log_artifacts(run.run_id, str(files), "model")
    if reference is not None:
        MLflowRegistry.store_reference(reference, run.run_id)
    if not store.search_registered_models(f"name = '{name}'"):
        store.create_registered_model(name)
    return str(store.create_model_version(name, f"runs:/{run.run_id}/model", run.run_id).version)


def test_the_registry_conforms(server: TrackingServer, tmp_path: Path) -> None:
    """Every call is made by the plugin's own stores, signed, and one that MLflow's handlers take."""
    stores = client()._tracking_client.store, client()._get_registry_client().store
    assert isinstance(stores[0], MlflowSageMakerStore)
    assert isinstance(stores[1], MlflowSageMakerRegistryStore)
    (tmp_path / "of").mkdir()
    testing.registry_conforms(MLflowRegistry(), "models", register, tmp_path / "of")
    assert {each.partition("/mlflow/")[2] for each in server.asked} >= {
        "model-versions/search", "model-versions/set-tag", "registered-models/alias", "runs/search", "runs/log-batch",
    }  # fmt: skip
