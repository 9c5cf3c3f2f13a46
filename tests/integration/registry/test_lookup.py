"""The look-up of a champion at a real MLflow server that fails for it alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from seatrial import Pipeline, Service, capture, registry
from seatrial.errors import ReferenceInvalid, RegistryError, VersionNotFound
from seatrial.faults.messages import HttpResponse
from seatrial.faults.proxy.http import HttpProxy
from seatrial.faults.responses import ResponseFault
from seatrial.targets.launch import start

REQUESTS = pd.DataFrame({"id": ["a", "b"], "x": [1.0, 2.0]})


def same(frame: pd.DataFrame) -> pd.DataFrame:
    """A stage."""
    return frame


pytestmark = pytest.mark.server


@dataclass(frozen=True, kw_only=True)
class NoVersions(ResponseFault):
    """Answer each look-up of a version with status 503, and everything else as it comes."""

    def change(self, response: HttpResponse, seed: int, number: int) -> HttpResponse | None:
        """Return 503 in place of a version."""
        del seed, number
        return replace(response, status=503, body=b"{}") if b'"model_version"' in response.body else None


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpProxy]:
    """A reverse proxy before an MLflow server with one version, which is the champion."""
    folder = tmp_path_factory.mktemp("mlflow")
    store = f"sqlite:///{folder / 'mlflow.db'}"
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1",
        "--backend-store-uri", store, "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    alone = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # no processes beside it
    with start(Service(command, ready="/health", ready_seconds=120, cwd=folder, env=alone)) as running:
        client = mlflow.MlflowClient(running.url)
        client.create_registered_model("shop")
        run = client.create_run("0").info
        client.create_model_version("shop", f"{run.artifact_uri}/model", run.run_id)
        client.set_registered_model_alias("shop", "champion", "1")
        with HttpProxy(running.url) as proxy:
            yield proxy


def test_a_champion_that_cannot_be_looked_up_is_an_error(
    proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A registry that answers everything but this look-up does not say that there is no champion."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.through("http://mlflow"))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    champion = registry.with_alias("models", "shop", "champion")
    assert champion is not None
    assert champion.number == "1"
    with proxy.fault(NoVersions()) as hits:
        assert registry.named("models").reachable()
        with pytest.raises(RegistryError, match="could not be looked up"):
            registry.with_alias("models", "shop", "champion")
        with pytest.raises(RegistryError, match="could not be looked up"):
            registry.champion_contract(champion, "champion", tmp_path)
        assert hits.count == 2
        assert registry.with_alias("models", "shop", "nobody") is None
        assert registry.with_alias("models", "nothing", "champion") is None


def test_a_model_may_have_an_at_in_its_name(proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """By version and by alias; the alias is what follows the last one."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.through("http://mlflow"))
    client = mlflow.MlflowClient()
    client.create_registered_model("tiny@home")
    run = client.create_run("0").info
    client.create_model_version("tiny@home", f"{run.artifact_uri}/model", run.run_id)
    client.set_registered_model_alias("tiny@home", "champion", "1")
    for uri in ("models:/tiny@home/1", "models:/tiny@home@champion"):
        assert registry.resolve(uri).uri == "models:/tiny@home/1"
    with pytest.raises(VersionNotFound, match="There is no registered model 'tiny'"):
        registry.resolve("models:/tiny@home")


def test_two_captures_into_one_run_do_not_mix(
    proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The last whole one counts; one that is stored half leaves the one before."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.through("http://mlflow"))
    client = mlflow.MlflowClient()
    client.create_registered_model("twice")
    info = client.create_run("0").info
    run = info.run_id
    client.create_model_version("twice", f"{info.artifact_uri}/model", run)
    version = registry.resolve("models:/twice/1")
    of = registry.of(version.uri)
    for stages in ({"raw": same, "score": same}, {"raw": same, "other": same}):
        reference = capture(Pipeline("p", key="id", **stages), REQUESTS, run_id=run)
        assert of.fetch_reference(version, tmp_path / "reference").digest == reference.digest
    client.log_text(run, "half", "seatrial/reference/" + "0" * 64 + "/manifest.json")
    assert of.fetch_reference(version, tmp_path / "reference").digest == reference.digest
    client.set_tag(run, "seatrial.reference_digest", "sha256:" + "1" * 64)
    with pytest.raises(ReferenceInvalid, match="is not the one its training run captured"):
        of.fetch_reference(version, tmp_path / "reference")
