"""Wrong inputs as users make them, and what each is told; tests run them in one process, the benchmark one by one."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FREE_PORT = "{free}"  # nothing listens there
BUSY_PORT = "{busy}"  # something does
FILES = {
    "pyproject.toml": '[tool.seatrial]\npipeline = "pipeline.py:pipeline"\nmodels = ["churn", "bare"]\n',
    "pipeline.py": '''"""A path of two stages."""

import sys

from seatrial import Dependency, Pipeline, Service


def parse(frame):
    return frame


def score(frame, model, store):
    return frame.assign(score=0.5)


pipeline = Pipeline(
    "churn", key="id", raw=parse, prediction=score, model=str,
    dependencies=[Dependency("store", url="redis://127.0.0.1:6379", connect=str)],
    service=Service(command=[sys.executable, "app.py"], predict="/score"),
)
''',
    "expectations/service.toml": "[slo]\nrate = 10\nlimit_ms = 250\n",
    "expectations/prediction.py": "",
    "expectations/fixtures.toml": '[fixtures.people]\nsource = "fake"\nrows = 5\n'
    'columns.name = { provider = "name" }\n',
    "requests.csv": "id,x\nr1,1\n",
    "requests.xlsx": "x",
    "broken.parquet": "id,x\nr1,1\n",
    "open.key": "x",
}
FIXTURES = "expectations/fixtures.toml"
SERVICE, PIPELINE, PYPROJECT = "expectations/service.toml", "pipeline.py", "pyproject.toml"
IN_CHURN = "models:/churn/1"


@dataclass(frozen=True)
class Refusal:
    """One wrong input.

    Attributes:
        name: of the case.
        words: of the command.
        says: what the message holds: what was found, what there is, what to type.
        files: the project's files that differ, None for one that is missing.
        environ: variables that are set.
    """

    name: str
    words: tuple[str, ...]
    says: tuple[str, ...]
    files: Mapping[str, str | None] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)


def _case(name: str, words: str, *says: str, environ: Mapping[str, str] | None = None, **files: str | None) -> Refusal:
    places = {
        "service": SERVICE,
        "pipeline": PIPELINE,
        "pyproject": PYPROJECT,
        "fixtures": "expectations/fixtures.toml",
    }
    changed = {places.get(key, f"expectations/{key}.py"): text for key, text in files.items()}
    return Refusal(name, tuple(words.split()), says, changed, environ or {})


VALIDATE = f"validate {IN_CHURN}"
_PIPELINE, _PYPROJECT = FILES[PIPELINE], FILES[PYPROJECT]
REFUSALS: Sequence[Refusal] = (
    _case("a command misspelt", f"validat {IN_CHURN}", 'Unknown command "validat"', 'Did you mean "validate"'),
    _case("an option misspelt", f"{VALIDATE} --onyl golden", "--onyl", "--only"),
    _case("an argument is missing", "validate", "MODEL-URI is missing", "seatrial validate models:/"),
    _case("a number that is none", f"{VALIDATE} --seed x", "--seed must be an integer", '"x"'),
    _case("an unknown check", f"{VALIDATE} --only goldn", "'goldn'", "Did you mean 'golden'?"),
    _case("an unknown check to skip", f"stress {IN_CHURN} --skip lod", "'lod'", "Did you mean 'load'?"),
    _case("an unknown sink", f"{VALIDATE} --sink junitt=out.xml", "'junitt'", "Did you mean 'junit'?"),
    _case("a sink without a file", f"{VALIDATE} --sink junit", "--sink junit=junit.xml"),
    _case("a target that is no address", f"{VALIDATE} --target nonsense", "'nonsense'", "https://staging.example/"),
    _case("an unknown dependency", f"{VALIDATE} --live stor", "'stor'", "Did you mean 'store'?"),
    _case("no URI", "validate churn", "'churn'", "models:/NAME/VERSION or models:/NAME@ALIAS"),
    _case("a URI with too much", "validate models:/churn/1/2", "models:/NAME/VERSION"),
    _case("another scheme", "validate model:/churn/1", "models:/NAME/VERSION", "Did you mean 'models'?"),
    _case(
        "no such model", "validate models:/chrun/1", "'chrun'", "Did you mean 'churn'?", "mlflow.db", "models:/churn/"
    ),
    _case("no such version", "validate models:/churn/7", "'7'", "Versions: 1", "Try models:/churn/1"),
    _case("no such alias", "validate models:/churn@champoin", "'champoin'", "Did you mean 'champion'?"),
    _case("no reference", "validate models:/bare/1", "carries no reference", "seatrial capture models:/bare/1"),
    _case("a version without a run", "validate models:/bare/2", "without a run"),
    _case(
        "the model is in MLflow's default store",
        "validate models:/elsewhere/1",
        "'elsewhere'",
        "MLFLOW_TRACKING_URI is not set",
        "export MLFLOW_TRACKING_URI=sqlite:///",
        "versions: 1",
    ),
    _case("no project", f"{VALIDATE} --project /", "no seatrial project", "seatrial init", "--project"),
    _case(
        "a setting of the project misspelt",
        VALIDATE,
        "'pipline'",
        "'pipeline'",
        pyproject=_PYPROJECT.replace("pipeline =", "pipline ="),
    ),
    _case(
        "a pyproject.toml that is no TOML",
        VALIDATE,
        "pyproject.toml is not TOML",
        "line 2",
        pyproject="[tool.seatrial]\npipeline = \n",
    ),
    _case(
        "a setting of the service misspelt", VALIDATE, "'rat'", "'rate'", service="[slo]\nrat = 10\nlimit_ms = 250\n"
    ),
    _case(
        "an unknown dependency in service.toml",
        VALIDATE,
        "'stroe'",
        "Did you mean 'store'?",
        service="[dependencies.stroe]\nlive = true\n",
    ),
    _case("expectations of no stage", VALIDATE, "'predict'", "Did you mean 'prediction'?", predict=""),
    _case("expectations that do not parse", VALIDATE, "prediction.py, line 1", prediction="tolerances = {\n"),
    _case("no expectations folder", VALIDATE, "mkdir -p", pyproject=_PYPROJECT + 'expectations = "nowhere"\n'),
    _case("no pipeline file", VALIDATE, "pipeline.py", "no such file", "pyproject.toml", pipeline=None),
    _case(
        "the pipeline's name misspelt",
        VALIDATE,
        "'pipelin'",
        "Did you mean 'pipeline'?",
        pyproject=_PYPROJECT.replace(".py:pipeline", ".py:pipelin"),
    ),
    _case("a pipeline that does not parse", VALIDATE, "pipeline.py, line 1", pipeline="def parse(:\n"),
    _case(
        "a package that is not installed",
        VALIDATE,
        "line 1 imports 'lightbgm'",
        "-m pip install",
        pipeline="import lightbgm\n" + _PIPELINE,
    ),
    _case(
        "an interpreter that is not there",
        VALIDATE,
        "[tool.seatrial] python is '.venv/bin/pyton'",
        pyproject=_PYPROJECT + 'python = ".venv/bin/pyton"\n',
    ),
    _case(
        "the service's program is not there",
        VALIDATE,
        "'gunicornn'",
        "PATH",
        pipeline=_PIPELINE.replace('[sys.executable, "app.py"]', '["gunicornn", "app:app"]'),
    ),
    _case("no requests file", f"capture {IN_CHURN} request.csv", "request.csv", "requests.csv"),
    _case("requests of another kind", f"capture {IN_CHURN} requests.xlsx", ".parquet, .csv, .jsonl"),
    _case("requests that are no Parquet", f"capture {IN_CHURN} broken.parquet", "does not parse as parquet"),
    _case("a folder of no requests", "capture models:/bare/1 expectations", "no file whose name ends with .parquet"),
    _case("a folder and labels", "capture models:/bare/1 . --labels requests.csv", "--given and --labels need a file"),
    _case("a reference is there already", f"capture {IN_CHURN} requests.csv", "has a reference already"),
    _case(
        "a frame of no stage", "capture models:/bare/1 requests.csv --given scroe=requests.csv", "'scroe'", "prediction"
    ),
    _case("no such fixture", f"{VALIDATE} --fixture peolpe", "'peolpe'", "Did you mean 'people'?"),
    _case(
        "a setting of a fixture misspelt",
        "fixtures make people",
        "'sorce'",
        "'source'",
        fixtures='[fixtures.people]\nsorce = "fake"\nrows = 5\n',
    ),
    _case("no fixtures file", "fixtures show", "fixtures.toml", "[fixtures.<name>]", fixtures=None),
    _case("a model of another project", "reconcile --model payments", "'payments'", "churn"),
    _case("no public key", f"verify {IN_CHURN}", "no public key", "SEATRIAL_PUBLIC_KEY"),
    _case("no such version to mutate", "mutate models:/churn/7", "Versions: 1"),
    _case(
        "MLflow does not answer",
        VALIDATE,
        "refused",
        "MLFLOW_TRACKING_URI",
        "mlflow server",
        environ={"MLFLOW_TRACKING_URI": f"http://ann:secret@127.0.0.1:{FREE_PORT}"},
    ),
    _case(
        "Prefect does not answer",
        VALIDATE,
        "refused",
        "PREFECT_API_URL",
        "prefect server start",
        environ={"PREFECT_API_URL": f"http://127.0.0.1:{FREE_PORT}/api"},
    ),
    _case("no Prefect server to deploy to", "deploy", "PREFECT_API_URL is not set", "seatrial up"),
    _case(
        "a ledger of another database",
        VALIDATE,
        "'mysql'",
        "sqlite:///PATH or postgresql://HOST/NAME",
        environ={"SEATRIAL_LEDGER_URL": "mysql://127.0.0.1/ledger"},
    ),
    _case(
        "a ledger that does not answer",
        VALIDATE,
        "refused",
        "SEATRIAL_LEDGER_URL",
        environ={"SEATRIAL_LEDGER_URL": f"postgresql://ann:secret@127.0.0.1:{FREE_PORT}/ledger"},
    ),
    _case(
        "no signing key", VALIDATE, "no signing key", "openssl genpkey", environ={"SEATRIAL_SIGNING_KEY": "none.key"}
    ),
    _case("a signing key that others can read", VALIDATE, "chmod 600", environ={"SEATRIAL_SIGNING_KEY": "open.key"}),
    _case("a port in use", f"up --mlflow-port {BUSY_PORT}", "is in use", "omit the option"),
    _case("a file to compare is not there", "diff requests.csv nothing.csv --key id", "nothing.csv"),
    _case("a column to compare by is not there", "diff requests.csv requests.csv --key idd", "'idd'", "'id'"),
    _case("an unknown settings file", "schema servce", "servce", "service"),
)


def make_project(root: Path) -> None:
    """Make the project, with a model and its reference's tag in its own MLflow store, and one in MLflow's default."""
    import mlflow

    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "open.key").chmod(0o644)
    (root / ".seatrial").mkdir()
    own = mlflow.MlflowClient(f"sqlite:///{root / '.seatrial' / 'mlflow.db'}")
    run = own.create_run("0").info.run_id
    own.set_tag(run, "seatrial.reference_digest", "sha256:" + "0" * 64)
    _register(own, "churn", run)
    own.set_registered_model_alias("churn", "champion", "1")
    _register(own, "bare", own.create_run("0").info.run_id)
    _register(own, "bare", None)
    default = mlflow.MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    _register(default, "elsewhere", default.create_run("0").info.run_id)


def _register(client: Any, name: str, run: str | None) -> None:
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    client.create_model_version(name, "/nowhere/model", run)


@contextmanager
def made_wrong(case: Refusal, root: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Change the project as the case says; yield the words and the variables; put everything back."""
    with socket.socket() as free, socket.socket() as busy:
        free.bind(("127.0.0.1", 0))  # bound, and nobody listens
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        ports = {FREE_PORT: str(free.getsockname()[1]), BUSY_PORT: str(busy.getsockname()[1])}
        before = {name: (root / name).read_bytes() if (root / name).exists() else None for name in case.files}
        try:
            for name, text in case.files.items():
                _write(root / name, None if text is None else text.encode())
            yield [_filled(w, ports) for w in case.words], {n: _filled(v, ports) for n, v in case.environ.items()}
        finally:
            for name, content in before.items():
                _write(root / name, content)


def _filled(text: str, ports: Mapping[str, str]) -> str:
    for name, port in ports.items():
        text = text.replace(name, port)
    return text


def _write(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)


def environment() -> dict[str, str]:
    """Return the variables of a command whose user has set none of ours."""
    ours = ("MLFLOW_", "_MLFLOW", "PREFECT_", "SEATRIAL_", "GITHUB_")
    return {n: v for n, v in os.environ.items() if not n.startswith(ours)} | {"PYTHONPATH": os.pathsep.join(sys.path)}
