"""``seatrial init`` reads a repository, runs nothing of it, and overwrites nothing."""

from __future__ import annotations

import ast
import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from seatrial.cli.start import plan as plans
from seatrial.cli.start.documents import Documented, documented
from seatrial.cli.start.init import init
from seatrial.cli.start.plan import Plan, make_plan
from seatrial.cli.start.schemas import Field, dtype_of, schema_fields
from seatrial.cli.start.settings import with_table
from seatrial.errors import UsageError
from seatrial.project import Project
from tests.support.tutorial import sections

PAGE = sections("tutorial/first-service.md")


def write(root: Path, **files: str) -> Path:
    """Write files whose names have ``__`` for a slash."""
    for name, text in files.items():
        path = root / f"{name if name == '__init__' else name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def planned(root: Path, **chosen: str) -> Plan:
    return make_plan(root, lambda question, answers, *, free=False: answers[0], **chosen)


def made(root: Path, **chosen: str) -> tuple[str, list[str]]:
    """Return the pipeline's file that init writes, and what it says."""
    said: list[str] = []
    return init(root, here=True, say=said.append, **chosen).read_text(), said


@pytest.mark.parametrize("section", ["FastAPI", "Flask with gunicorn"])
def test_the_tutorials_services_need_no_edit(section: str, tmp_path: Path) -> None:
    """The file is complete, it parses, it is short, and a second init refuses."""
    for block in [*PAGE["FastAPI"], *PAGE[section]]:
        if block.language == "python":
            (tmp_path / block.title).write_text(block.text)
    text, said = made(tmp_path)
    ast.parse(text)
    assert "EDIT" not in text
    assert len(text.splitlines()) <= 50
    assert Project.find(tmp_path).models == ("churn",)
    assert any("features.build_features" in line for line in said)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=r"has a table \[tool.seatrial\] already.*seatrial doctor"):
        init(tmp_path, here=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


FACTORY = """
from fastapi import FastAPI
from shop.routes import router

def create_app() -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.include_router(router, prefix="/v1")
    return app
"""
ROUTES = """
import os
from typing import Optional, Literal, Annotated
import joblib
from fastapi import APIRouter
from .schemas import Order

router = APIRouter(prefix="/orders")
ZONES = os.environ["ZONES_URL"]
model = joblib.load(os.environ["MODEL"])

@router.get("/healthz")
async def healthz(): ...

@router.post("/feedback")
async def feedback(text: str): ...

@router.post("/score", response_model=None)
async def score(order: Order):
    return {"order_id": order.order_id, "minutes": round(float(model.predict([[1]])[0]), 2), "late": False}
"""
SCHEMAS = """
from typing import Annotated, Literal, Optional
from pydantic import BaseModel, Field, PositiveInt

class Base(BaseModel):
    order_id: str

class Order(Base):
    items: PositiveInt
    distance: "float | None" = None
    zone: Optional[int] = None
    size: Literal["s", "l"] = "s"
    weight: Annotated[float, Field(gt=0)]
    tags: list[str]
"""


def test_a_package_with_a_factory_routers_and_inherited_fields(tmp_path: Path) -> None:
    """The command, the paths, the types, the variable of the model, and other variables that code reads."""
    write(tmp_path / "src" / "shop", __init__="", main=FACTORY, routes=ROUTES, schemas=SCHEMAS)
    plan = planned(tmp_path)
    assert plan.application
    assert plan.route
    assert (plan.application.address, plan.application.factory, plan.folder) == (
        "shop.main:create_app", True, tmp_path / "src",
    )  # fmt: skip
    assert (plan.route.path, plan.application.ready) == ("/v1/orders/score", "/v1/orders/healthz")
    assert plan.request_model == "shop.schemas.Order"
    assert plan.request == tuple(
        Field(name, dtype)
        for name, dtype in {
            "order_id": "string", "items": "int64", "distance": "float64", "zone": "Int64", "size": "string",
            "weight": "float64", "tags": "",
        }.items()
    )  # fmt: skip
    assert [field.name for field in plan.answer] == ["order_id", "minutes", "late"]
    assert (plan.key, plan.digits, plan.environment) == ("order_id", 2, ("ZONES_URL",))
    text, _ = made(tmp_path)
    ast.parse(text)
    assert '["uvicorn", "--factory", "shop.main:create_app", "--port", "{port}"]' in text
    assert 'env={"MODEL": "{model.path}/model.pkl"}' in text
    assert "openapi=None" in text
    assert "EDIT: return these fields too: late" in text
    assert (tmp_path / "src" / "pipeline.py").is_file()
    assert Project.find(tmp_path).environment == ("ZONES_URL",)


def test_a_model_that_the_code_names_is_pointed_out(tmp_path: Path) -> None:
    """The service must take the version that is validated."""
    app = next(block.text for block in PAGE["FastAPI"] if block.title == "app.py")
    said = made(write(tmp_path, app=app))[1]
    assert any('app.py, line 11 loads "models:/churn/1": let it read os.environ["MODEL_URI"]' in line for line in said)


@pytest.mark.parametrize(
    "training",
    [
        'mlflow.sklearn.log_model(m, name="model", registered_model_name=NAME)',
        'mlflow.register_model("runs:/1/model", NAME)',
        'mlflow.register_model(model_uri="runs:/1/model", name="wine")',
        "MlflowClient().create_registered_model(NAME)",
    ],
)
def test_a_registered_model_is_found(training: str, tmp_path: Path) -> None:
    """By any of the calls that register one, with its name in the call or in a constant."""
    write(tmp_path, train=f"import mlflow\nfrom mlflow import MlflowClient\nNAME = 'wine'\n{training}\n")
    assert planned(tmp_path).name == "wine"


def test_features_of_a_script_that_runs_when_imported_are_not_imported(tmp_path: Path) -> None:
    """To import it would train: the line is marked, and says what to do."""
    write(
        tmp_path,
        train="import mlflow\nimport pandas as pd\ndef make_features(f: pd.DataFrame) -> pd.DataFrame:\n    return f\n"
        "model = fit(make_features(read()))\nmlflow.sklearn.log_model(model, registered_model_name='wine')\n",
    )
    text = made(tmp_path)[0]
    assert "import make_features" not in text
    assert "EDIT: move make_features of train.py to a module that can be imported" in text


def test_nothing_is_run_and_what_does_not_parse_is_passed_by(tmp_path: Path) -> None:
    """Neither a virtual environment nor tests are read."""
    write(
        tmp_path, explode="raise SystemExit('run')", broken="def (", test_app="from fastapi import FastAPI",
        env__lib__site="from fastapi import FastAPI\napp = FastAPI()\n@app.post('/x')\ndef x(): ...",
    )  # fmt: skip
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    assert planned(tmp_path).application is None
    assert "EDIT" in made(tmp_path)[0]


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    """Another name is taken for the pipeline and the expectations; pyproject.toml keeps every byte it had."""
    before = '[project]\r\nname = "x"  # mine\r\n\r\n[tool.black]\r\nline-length = 88'
    (tmp_path / "pyproject.toml").write_bytes(before.encode())
    (tmp_path / "pipeline.py").write_text("mine = 1\n")
    (tmp_path / "expectations").mkdir()
    (tmp_path / "expectations" / "suite.py").write_text("mine = 2\n")
    write(tmp_path, flows__validate="mine = 3\n")
    _, said = made(tmp_path)
    after = (tmp_path / "pyproject.toml").read_bytes().decode()
    assert after.startswith(before)
    assert "\n" not in after.replace("\r\n", "")
    project = Project.find(tmp_path)
    assert project.pipeline_file == tmp_path / "seatrial_pipeline.py"
    assert project.expectations == tmp_path / "seatrial_expectations"
    assert (tmp_path / "pipeline.py").read_text() == "mine = 1\n"
    assert any("flows/validate.py" in line for line in said)
    (tmp_path / "pyproject.toml").unlink()
    with pytest.raises(UsageError, match=r"exist in .* already"):
        init(tmp_path, here=True)


@pytest.mark.parametrize("text", ["[tool\n", "tool = {black = {}}\n", "\xff"])
def test_a_pyproject_that_cannot_take_a_table_is_left_alone(text: str, tmp_path: Path) -> None:
    """Broken TOML, a closed table, another encoding: one message, and nothing is written."""
    (tmp_path / "pyproject.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"pyproject.toml"):
        init(tmp_path, here=True)
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


def test_a_table_is_appended_after_a_line_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "x"')
    assert tomllib.loads(with_table(path, "[tool.seatrial]\nmodels = []\n"))["tool"] == {"seatrial": {"models": []}}


def test_a_new_project_is_a_short_file_of_ones_own(tmp_path: Path) -> None:
    """No flows, nothing of an example."""
    init(tmp_path / "wine-quality", here=False, key="bottle", say=lambda _: None)
    root = tmp_path / "wine-quality"
    assert sorted(path.name for path in root.iterdir()) == ["pipeline.py", "pyproject.toml"]
    text = (root / "pipeline.py").read_text()
    assert '"wine-quality"' in text
    assert 'key="bottle"' in text
    assert len(text.splitlines()) <= 42


@pytest.mark.parametrize(
    ("annotation", "dtype"),
    [
        ("int", "int64"), ("bool | None", "boolean"), ("Union[str, None]", "string"), ("int | str", ""),
        ("Literal[1, 2]", "int64"), ("Literal[1, 'a']", ""), ("conint(gt=0)", "int64"), ("list[int]", ""),
        ("typing.Optional[float]", "float64"), ("datetime", ""), ("'int'", "int64"), ("'in t'", ""),
    ],
)  # fmt: skip
def test_the_type_of_an_annotation(annotation: str, dtype: str) -> None:
    assert dtype_of(ast.parse(annotation, mode="eval").body) == dtype


def test_a_document_from_anywhere_breaks_nothing() -> None:
    """References that lead nowhere or in circles, and things of other types."""
    loop = {"components": {"schemas": {"A": {"$ref": "#/components/schemas/A"}}}}
    assert schema_fields(loop, {"$ref": "#/components/schemas/A"}) == ()
    for strange in (None, [], {"paths": []}, {"paths": {"/x": 3}}, {"paths": {"/x": {"post": {"requestBody": 7}}}}):
        assert documented(strange) is None
    schema = {"properties": {"id": {"type": "string"}, "n": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}
    post = {"requestBody": {"content": {"application/json": {"schema": schema}}}, "responses": {}}
    found = documented(json.loads(json.dumps({"paths": {"/other": {"get": {}}, "/score": {"post": post}}})))
    assert found is not None
    assert (found.predict, found.request, found.fastapi) == (
        "/score",
        (Field("id", "string"), Field("n", "Int64")),
        False,
    )


def test_what_is_ambiguous_is_asked_on_a_terminal_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the likeliest is taken; --app, --model and --key answer beforehand."""
    app = "from {0} import {1}\napp = {1}({2})\n@app.post('/predict')\ndef predict():\n    return {{'score': 1}}\n"
    write(
        tmp_path, first=app.format("fastapi", "FastAPI", ""), second=app.format("flask", "Flask", "__name__"),
        train="import mlflow\nmlflow.register_model('runs:/1/m', 'wine')\nmlflow.register_model('runs:/2/m', 'beer')\n",
    )  # fmt: skip
    asked: list[tuple[str, list[str]]] = []

    def last(question: str, answers: Sequence[str], *, free: bool = False) -> str:
        asked.append((question, list(answers)))
        return answers[-1]

    plan = make_plan(tmp_path, last)
    assert plan.application
    assert (plan.application.address, plan.name) == ("second:app", "beer")
    assert asked[0] == ("Which application serves the model?", ["first:app", "second:app"])
    plan = planned(tmp_path, app="second:app", model="ale", key="batch")
    assert plan.application
    assert (plan.application.framework, plan.name, plan.key) == ("flask", "ale", "batch")
    with pytest.raises(UsageError, match=r"'frist:app' is not known. Known: first:app, second:app. Did you"):
        planned(tmp_path, app="frist:app")
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("rich.prompt.Prompt.ask", lambda question, *, choices, default: (choices or [default])[-1])
    init(tmp_path, here=True, say=lambda _: None)
    assert Project.find(tmp_path).models == ("beer",)


@pytest.mark.parametrize(
    ("field", "call"), [("probability", "predict_proba(inputs)[:, 1]"), ("price", "predict(inputs)  # EDIT")]
)
def test_what_a_service_at_an_address_calls_is_told_by_its_answer(
    field: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A probability is of predict_proba; of any other number it is not known, and the line is marked."""
    found = Documented("/score", (Field("id", "string"),), (Field("id", "string"), Field(field, "float64")), "/", True)
    monkeypatch.setattr(plans, "read_document", lambda _: found)
    text, _ = made(tmp_path, target="http://127.0.0.1:8000")
    assert f"answer = model.{call}" in text
    assert 'url="http://127.0.0.1:8000"' in text
    assert "FastAPI repeats NaN" in (tmp_path / "expectations" / "service.toml").read_text()
