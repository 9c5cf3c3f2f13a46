"""Real servers of one linear model, y = 2a + 3b − 1, each started once and ended with the session."""

import os
import sys
from pathlib import Path

import pytest

from seatrial.pipeline import Service
from seatrial.targets import connect
from seatrial.targets.launch import fill, start

SERVERS = Path(__file__).parent / "servers"
sys.path.insert(0, str(Path(__file__).parent))
from environments import (  # noqa: E402, F401  fixtures
    frameworks_python,
    kfp_python,
    kserve_python,
    mlserver_python,
    old_python,
    oldest_python,
    shapes_python,
)  # fmt: skip

READY_SECONDS = 180.0  # a busy machine imports for a while


@pytest.fixture(scope="session")
def mlflow_model(tmp_path_factory):
    """The linear model, logged the way MLflow serves it, with a signature."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import infer_signature

    class Linear(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return 2 * model_input["a"] + 3 * model_input["b"] - 1

    path = tmp_path_factory.mktemp("mlflow") / "model"
    example = pd.DataFrame({"a": [0.5], "b": [1.5]})
    mlflow.pyfunc.save_model(
        path, python_model=Linear(), signature=infer_signature(example, example["a"]), pip_requirements=[]
    )
    return path


@pytest.fixture(scope="session")
def long_model(tmp_path_factory):
    """A model whose only input is a whole number."""
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import infer_signature

    class Seven(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return 7 * model_input["n"]

    path = tmp_path_factory.mktemp("mlflow-long") / "model"
    example = pd.DataFrame({"n": [1]})
    mlflow.pyfunc.save_model(
        path, python_model=Seven(), signature=infer_signature(example, example["n"]), pip_requirements=[]
    )
    return path


@pytest.fixture(scope="session")
def served_long(long_model):
    """The address of its scoring server."""
    with start(_mlflow(long_model)) as running:
        yield f"mlflow+{running.url}"


def _mlflow(model):
    command = ["mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", "{port}"]
    return Service(command, ready="/ping", predict="mlflow+http://127.0.0.1:{port}", ready_seconds=READY_SECONDS)


@pytest.fixture(scope="session")
def services(request, mlflow_model):
    """Return how each server is declared; one in an environment of its own is made when first asked for."""

    def declare(kind):
        if kind == "rest":
            command = ["uvicorn", "linear_rest:app", "--port", "{port}"]
            return Service(command, predict="/score", batch="/score/batch", cwd=SERVERS, ready_seconds=READY_SECONDS)
        if kind == "mlflow":
            return _mlflow(mlflow_model)
        server, protocol = kind.split("-")
        python = request.getfixturevalue(f"{server}_python")
        port = {"rest": "oip+http://127.0.0.1:{port}", "grpc": "oip+grpc://127.0.0.1:{grpc_port}"}[protocol]
        return Service(
            [str(python), str(SERVERS / f"linear_{server}.py"), "{port}", "{grpc_port}"],
            ready="/v2/models/linear/ready",
            predict=f"{port}/linear",
            ready_seconds=READY_SECONDS,
        )

    return declare


@pytest.fixture(scope="session")
def started(services):
    """Return the running server of a kind; REST and gRPC of one server share it."""
    running = {}

    def get(kind):
        server = kind.split("-")[0]
        if server not in running:
            running[server] = start(services(kind))
        return running[server]

    yield get
    for each in running.values():
        each.stop()


@pytest.fixture(scope="session")
def target_url(services, started):
    """Return the address of a kind's target."""

    def url(kind):
        running, service = started(kind), services(kind)
        blanks = {**running.values, **{k: v for k, v in running.values.items() if k.endswith("_port")}}
        predict = service.predict
        return f"rest+{running.url}{predict}" if predict.startswith("/") else fill(predict, blanks)

    return url


@pytest.fixture
def target(request, target_url):
    """An open target of the kind the test asks for."""
    if request.param == "inprocess":
        where = f"inprocess:{SERVERS.parent / 'linear_steps.py'}:linear"
        with connect(where) as opened:
            yield opened
        return
    options = {"batch": "/score/batch"} if request.param == "rest" else {}
    with connect(target_url(request.param), key="id", seconds=30.0, **options) as opened:
        yield opened
