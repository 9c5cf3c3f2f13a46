"""What tests share: one trained project and one Prefect server a session, both made when first asked for."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from seatrial.cli.scaffold import init
from seatrial.io.loading import load_file
from seatrial.orchestration import runner
from seatrial.orchestration.runner import prefect_server
from seatrial.project import Project
from tests.support.left_behind import left_behind, marked

settings.register_profile("any machine", settings(), deadline=None)  # a busy one takes its time
settings.load_profile("any machine")

FOREIGN = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PREFECT_API_URL", "PREFECT_HOME", "PAYMENTS_STORE_URL")
TESTS = Path(__file__).parent
TRAINED = {"e2e/cli": "project", "e2e/flows": "project", "e2e/trials": "ground"}  # folder to the group that shares one
TOGETHER = {
    "integration/ledger": "ledger",
    "integration/registry/clearml": "clearml",
}  # folders whose files share a server
os.environ["PREFECT_PROFILES_PATH"] = os.devnull  # or a developer's profile would send the runs of tests elsewhere
os.environ.setdefault(  # OpenDP fits with JAX, where compiling for speed takes longer than what is compiled
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)
LONG = (  # groups that take a minute or more: those that wait go beside those that compute
    "e2e/flows/test_up.py", "e2e/flows/test_pools.py", "project", "e2e/examples/test_examples.py", "beside",
    "ground",
    "integration/checks/test_load.py", "conformance/test_old_stack.py", "integration/checks/test_resilience.py",
    "conformance/test_shapes.py", "e2e/trials/test_load_workers.py", "e2e/looking/test_looking.py",
    "e2e/trials/test_chaos.py", "e2e/trials/test_outages.py", "conformance/test_worker_environments.py",
    "integration/checks/test_load_streams.py",
    "e2e/trials/test_isolation.py", "conformance/test_payments_service.py", "e2e/staging/test_staging.py",
    "e2e/trials/test_resilience_payments.py", "integration/checks/test_golden_service.py",
)  # fmt: skip

with contextlib.suppress(ImportError):  # when logging is set anew, Abseil closes its stream: not pytest's
    from absl import logging as absl_logging

    absl_logging.get_absl_handler().python_handler.setStream(sys.__stderr__)


@pytest.hookimpl(tryfirst=True)  # the marks are read by a hook of the same name
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one worker, and in one all that use the same trained project and its server.

    The fast ones come first, then those that take longest, so that no worker is left with one of them.
    """
    place = {}
    beside = {item.path for item in items if "prefect_beside" in getattr(item, "fixturenames", ())}
    for item in items:
        file = item.path.relative_to(TESTS).as_posix()
        folder = file.rpartition("/")[0]
        trained = TRAINED.get(folder) if "payments" in getattr(item, "fixturenames", ()) else None
        shared = "beside" if item.path in beside else TOGETHER.get(folder)
        group = trained or shared or file
        item.add_marker(pytest.mark.xdist_group(group))
        quick = folder.startswith("unit") or not folder
        place[item] = LONG.index(group) if group in LONG else -1 if quick else len(LONG)
    items.sort(key=place.__getitem__)


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """No process, socket, thread or store of MLflow outlives the tests: the first fixture to begin ends last."""
    mark, before = marked(), {thread.ident or 0 for thread in threading.enumerate()}
    stores = [TESTS.parent / name for name in ("mlflow.db", "mlruns", "mlartifacts")]  # where no test named another
    known = {path for path in stores if path.exists()}
    yield
    found = left_behind(mark, before) + [str(path) for path in stores if path.exists() and path not in known]
    assert not found, "left behind:\n" + "\n".join(found)


@pytest.fixture(scope="session", autouse=True)
def _machine_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A load test waits for those of this worker alone: the others would wait too, for minutes."""
    os.environ["SEATRIAL_MACHINE_LOCK"] = str(tmp_path_factory.getbasetemp() / "machine.lock")


@pytest.fixture(scope="module", autouse=True)
def _mlflow_follows_the_environment() -> Iterator[None]:
    """MLflow's server, and whoever sets an address in code, leave it in the process, where it outdoes the variable."""
    yield
    for module, name in (("_tracking_service", "_tracking_uri"), ("_model_registry", "_registry_uri")):
        if found := sys.modules.get(f"mlflow.tracking.{module}.utils"):
            setattr(found, name, None)


@pytest.fixture(scope="session")
def payments(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project as ``seatrial init`` writes it, with version 1 (good) and version 2 (skewed) of payments registered."""
    for name in (*FOREIGN, "_MLFLOW_SERVER_ARTIFACT_ROOT"):
        os.environ.pop(name, None)
    root = init(tmp_path_factory.mktemp("projects") / "payments", quiet=True)
    project = Project.find(root)
    project.activate()
    train: Callable[..., Any] = load_file(project.pipeline_file.parent / "train.py").train
    for release in (1, 2):
        train(release, rows=6_000, reference_rows=700)
    return project


@pytest.fixture(scope="session")
def prefect_beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server for commands that would each start one; this process is not pointed at it."""
    if running := os.environ.get("PREFECT_API_URL"):
        yield running
        return
    project = Project.find(init(tmp_path_factory.mktemp("prefect") / "beside", quiet=True))
    before = dict(os.environ)
    with contextlib.ExitStack() as stack:
        try:
            for name in FOREIGN:
                os.environ.pop(name, None)
            project.activate()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(runner, "START_SECONDS", 600.0)  # a busy machine is no fault
                address = stack.enter_context(prefect_server(project))()
        finally:
            os.environ.clear()
            os.environ.update(before)
        yield address


@pytest.fixture(scope="session")
def prefect_api(payments: Project) -> Iterator[str]:
    """The address of a Prefect server that every flow of the session runs against."""
    with prefect_server(payments) as wait:
        url = wait()
        from prefect.settings import PREFECT_API_URL, temporary_settings

        with temporary_settings({PREFECT_API_URL: url}):  # also where a test before had Prefect read its settings
            yield url
