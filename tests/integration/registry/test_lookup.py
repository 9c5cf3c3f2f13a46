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
from seatrial.registry.mlflow import rest
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
        assert "shop" in registry.aliases(registry.named("models"))
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
        assert of.reference(version, tmp_path / "reference").digest == reference.digest
    client.log_text(run, "half", "seatrial/reference/" + "0" * 64 + "/manifest.json")
    assert of.reference(version, tmp_path / "reference").digest == reference.digest
    client.set_tag(run, "seatrial.reference_digest", "sha256:" + "1" * 64)
    with pytest.raises(ReferenceInvalid, match="is not the one its training run captured"):
        of.reference(version, tmp_path / "reference")


@pytest.mark.parametrize("where", ["server", "database"])
def test_what_is_refused_early_is_refused_later_in_the_same_words(
    proxy: HttpProxy, where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without MLflow's client and with it: by the server's REST API, and by the tables of its database."""
    server = proxy.through("http://mlflow")
    monkeypatch.setattr(rest, "SECONDS", 60.0)  # a busy machine takes its time
    if where == "server":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    else:
        address = f"sqlite:///{tmp_path / 'mlflow.db'}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    client, name = mlflow.MlflowClient(), f"early-{where}"
    client.create_registered_model(name)
    for tag in (None, "sha256:" + "0" * 64, None):
        run = client.create_run("0").info
        client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id)
        if tag:
            client.set_tag(run.run_id, "seatrial.reference_digest", tag)
    client.delete_model_version(name, "3")
    client.set_registered_model_alias(name, "champion", "2")
    early, wrong = registry.of(f"models:/{name}/1"), 0
    for uri in (
        f"models:/{name}/9",
        f"models:/{name}/3",
        f"models:/{name}@champoin",
        "models:/erly/1",
        f"models:/{name}/x",
    ):
        with pytest.raises(VersionNotFound) as now:
            early.refuse(uri, "look up")
        with pytest.raises(VersionNotFound) as later:
            early.resolve(uri)
        assert str(now.value) == str(later.value)
        wrong += 1
    assert wrong == 5
    for uri in (f"models:/{name}/1", f"models:/{name}/01", f"models:/{name}@champion", "models:/shop/1"):
        if where == "server" or "shop" not in uri:
            assert early.refuse(uri, "look up") is None
    with pytest.raises(ReferenceInvalid, match="carries no reference"):
        early.refuse(f"models:/{name}/1", "validate")
    assert early.refuse(f"models:/{name}@champion", "validate") is None
    assert early.refuse(f"models:/{name}/1", "capture") is None
    with pytest.raises(RegistryError, match="has a reference already"):
        early.refuse(f"models:/{name}/2", "capture")


def test_what_is_not_certain_is_left_to_the_later_look_up(
    proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server that answers 503, one that is not MLflow's, a database without its tables, a store of another kind."""
    early = registry.named("models")
    monkeypatch.setattr(rest, "SECONDS", 60.0)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.through("http://mlflow"))
    with proxy.fault(NoVersions()) as hits:
        assert early.refuse("models:/shop/1", "validate") is None
        assert hits.count == 1
    (tmp_path / "other.db").write_bytes(b"no database")
    monkeypatch.setenv("MLFLOW_WORKSPACE", "other")
    assert early.refuse("models:/shop/7", "validate") is None
    monkeypatch.delenv("MLFLOW_WORKSPACE")
    for address in (
        f"sqlite:///{tmp_path / 'other.db'}", "databricks", "postgresql://127.0.0.1:9/mlflow", "sqlite://",
        proxy.through("http://mlflow") + "/nothing",
    ):  # fmt: skip
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert early.refuse("models:/nothing/7", "validate") is None
