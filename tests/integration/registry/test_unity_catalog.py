"""The registry on Databricks: MLflow's own store classes, with a stand-in for the workspace that they talk to."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.models import Model, infer_signature
from mlflow.tracking._model_registry.utils import _get_store_registry
from mlflow.tracking._tracking_service import utils

from seatrial import registry, testing
from seatrial.errors import ProjectError, RegistryError, VersionNotFound
from seatrial.events import Outcome
from seatrial.promotion.verify import verify
from seatrial.reference.snapshot import Reference
from seatrial.registry import Version
from seatrial.registry.mlflow.client import client
from seatrial.registry.mlflow.registry import MLflowRegistry
from seatrial.registry.runs import description_texts, run_payload
from seatrial.testing import registries
from seatrial.testing.samples import sample_reference, sample_verdict
from tests.support.databricks.workspace import TOKEN, Workspace, serving
from tests.support.trust import Trusted

pytestmark = pytest.mark.server
ONE = pytest.mark.parametrize("store", ["legacy"], indirect=True)  # where the other store differs in nothing


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace, named by the environment alone."""
    folder = tmp_path_factory.mktemp("databricks")
    made = Workspace(folder)
    with serving(made, folder) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABRICKS_HOST", url)
        patch.setenv("DATABRICKS_TOKEN", TOKEN)
        patch.setenv("MLFLOW_TRACKING_URI", "databricks")
        patch.delenv("MLFLOW_REGISTRY_URI", raising=False)
        yield made
    utils._artifact_repos_cache.clear()
    for each in gc.get_objects():  # MLflow leaves the threads of its artifact stores behind
        if type(each) is ThreadPoolExecutor and each._thread_name_prefix.startswith("Mlflow"):
            each.shutdown()


@pytest.fixture(params=["legacy", "native"])
def store(workspace: Workspace, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One of the two stores that MLflow has for it; returns a schema of its own."""
    monkeypatch.setenv("MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY", str(request.param == "native").lower())
    made_once = _get_store_registry()._get_store_with_resolved_uri
    made_once.cache_clear()
    yield f"main.{request.param}"
    made_once.cache_clear()


def register(name: str, files: Path, reference: Reference | None) -> str:
    """Log a run with a reference, and register its model as a training job does: the store uploads the files."""
    store = client()
    experiment = store.get_experiment_by_name("/Shared/training")
    number = experiment.experiment_id if experiment else store.create_experiment("/Shared/training")
    run = store.create_run(number).info.run_id
    source = files.parent / f"of-{run}"
    shutil.copytree(files, source)
    signature = infer_signature(np.zeros((1, 2)), np.zeros(1))
    Model(signature=signature).save(str(source / "MLmodel"))
    if reference is not None:
        MLflowRegistry.store_reference(reference, run)
    if not name_exists(name):
        store.create_registered_model(name)
    return str(store.create_model_version(name, str(source), run).version)


def name_exists(name: str) -> bool:
    try:
        client().get_registered_model(name)
    except mlflow.MlflowException:
        return False
    return True


def test_the_registry_conforms(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look-ups, changes, aliases, files, references, tags, descriptions and runs, through names of three levels."""
    monkeypatch.setattr(registries, "NAME", f"{store}.conformance")
    testing.registry_conforms(MLflowRegistry(), "models", register, tmp_path)


@pytest.fixture
def version(store: str, tmp_path: Path) -> Version:
    """A registered version with a file and a reference; one model for all tests of a store."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "weights.txt").write_text("1.5")
    name = f"{store}.payments"
    return MLflowRegistry.resolve(f"models:/{name}/{register(name, tmp_path / 'files', sample_reference())}")


def test_a_verdict_is_written_where_databricks_takes_it(workspace: Workspace, version: Version, tmp_path: Path) -> None:
    """Runs in a folder of the workspace, tags without reserved characters, whole links, and an alias."""
    name = version.name
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "report.html").write_text("<p>")
    fetched = registry.fetch(version, tmp_path)
    assert sorted(p.name for p in fetched.model.iterdir()) == ["MLmodel", "weights.txt"]
    verdict = sample_verdict()
    body = run_payload(verdict, fetched)
    body["tags"]["mlflow.note.content"] = "→" * 1_700  # a note may be as long in characters, and longer in bytes
    run_id = MLflowRegistry.tracker.log_run(body, tmp_path / "results", "key")
    tags = {"seatrial.verdict": "pass", "seatrial.head": "{}", "seatrial.fixture.edge-cases.2": "x y"}
    MLflowRegistry.annotate(version, tags, description_texts(verdict, version.uri), run_id)

    run = client().get_run(run_id)
    assert client().get_experiment(run.info.experiment_id).name == f"/Shared/seatrial/{name}"
    assert run.info.artifact_uri.startswith("dbfs:/databricks/mlflow-tracking/")
    assert run.data.tags["seatrial.verdict"] == "pass"
    assert run.data.tags["mlflow.note.content"].rstrip().endswith(")")
    there = workspace.catalog.version(name, version.number)
    assert set(there.tags) == {"seatrial_verdict", "seatrial_head", "seatrial_fixture_edge 2dcases 2e2"}
    assert MLflowRegistry.resolve(version.uri).tags == tags
    page = f"{workspace.url}/#mlflow/experiments/{run.info.experiment_id}/runs/{run_id}"
    assert f"({page}/artifactPath/report.html)" in there.description
    assert [link.address for link in MLflowRegistry.pages(version, run_id)] == [
        f"{workspace.url}/explore/data/models/{name.replace('.', '/')}/version/{version.number}",
        page, f"{page}/artifactPath/report.html",
    ]  # fmt: skip


@ONE
def test_what_is_missing_is_said_to_be(store: str, version: Version) -> None:
    """A model that is no first page of the metastore is found; what is not there is no failure of the registry."""
    for name, said in (
        (f"{version.name}@champion", "Aliases: none"),
        (f"{version.name}/99", f"Versions: .*{version.number}"),
    ):
        with pytest.raises(VersionNotFound, match=said):
            MLflowRegistry.resolve(f"models:/{name}")
    with pytest.raises(VersionNotFound, match="Registered: main"):
        MLflowRegistry.resolve("models:/payments/1")
    with pytest.raises(VersionNotFound, match="no version 'latest'"):
        MLflowRegistry.resolve(f"models:/{version.name}/latest")
    assert registry.with_alias("models", version.name, "champion") is None


@ONE
def test_fixtures_are_referred_to_by_their_names(version: Version, tmp_path: Path) -> None:
    """A name may have what no key of a tag has; the second version refers to the files of the first."""
    (tmp_path / "fixture").mkdir()
    (tmp_path / "fixture" / "rows.txt").write_text("a")
    link = MLflowRegistry.store_fixture(version, "edge-cases", "sha256:" + "1" * 64, tmp_path / "fixture")
    assert MLflowRegistry.fixtures(version) == {"edge-cases": link}
    again = MLflowRegistry.store_fixture(version, "again", "sha256:" + "1" * 64, tmp_path / "fixture")
    assert again == link
    assert [p.name for p in MLflowRegistry.download_fixture(link, tmp_path / "down").iterdir()] == ["rows.txt"]


@ONE
def test_a_folder_that_may_not_be_written_is_named(
    workspace: Workspace, version: Version, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One sentence that says which variable names another; a relative one is refused before anything is asked."""
    body = {"model": version.name, "name": "pass", "status": "FINISHED", "tags": {}}
    monkeypatch.setenv("SEATRIAL_EXPERIMENTS", "/Forbidden/seatrial")
    with pytest.raises(RegistryError, match=r"may not write to /Forbidden/seatrial\. Name a folder .* SEATRIAL_EXP"):
        MLflowRegistry.tracker.log_run(body, tmp_path)
    asked = len(workspace.asked)
    monkeypatch.setenv("SEATRIAL_EXPERIMENTS", "seatrial")
    with pytest.raises(RegistryError, match="is 'seatrial', which is no folder of a Databricks workspace"):
        MLflowRegistry.tracker.log_run(body, tmp_path)
    assert len(workspace.asked) == asked


@pytest.fixture
def environment() -> Iterator[None]:
    """What a project sets is put back."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("environment")
@ONE
def test_a_pass_is_promoted_and_verified_by_another_machine(
    workspace: Workspace, version: Version, tmp_path: Path
) -> None:
    """Ledger, run, tags, description and aliases; then the signed pass holds with nothing but the workspace."""
    trusted = Trusted(tmp_path / "project")
    reference = Reference.load(trusted.root / "reference")
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted" / "weight.json").write_text("2.0")
    name = version.name.replace("payments", "trusted")
    uri = f"models:/{name}/{register(name, tmp_path / 'trusted', reference)}"
    trusted.validate(uri)
    assert workspace.catalog.model(name).aliases == {"validated": 1, "champion": 1}
    there = workspace.catalog.version(name, "1")
    assert there.tags["seatrial_verdict"] == "pass"
    assert there.description.startswith(f"seatrial: pass · {name} 1")
    shutil.rmtree(trusted.project.state / "heads", ignore_errors=True)
    for file in trusted.project.state.glob("ledger.db*"):
        file.unlink()
    assert verify(trusted.root, uri).exit_code == 0
    trusted.validate(uri, Outcome.FAIL)
    assert verify(trusted.root, uri).exit_code == 1
    assert there.tags["seatrial_verdict"] == "fail"


def test_no_webhook_is_promised() -> None:
    """Unity Catalog sends none."""
    with pytest.raises(ProjectError, match="only a server sends webhooks"):
        MLflowRegistry.put_webhook("shop", "https://seatrial.example", "secret")
