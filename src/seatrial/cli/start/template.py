"""The pipeline's file, from what was found: complete where all is known, else with lines marked EDIT."""

from __future__ import annotations

import json
from collections.abc import Iterator
from keyword import iskeyword

from seatrial.cli.start.plan import MODEL_VARIABLE, Plan, program
from seatrial.cli.start.schemas import Field

EDIT = "EDIT"
SCORES = ("prob", "score", "pred", "risk", "value", "result", "amount", "minutes", "price")
BOOT = "120"  # seconds: a busy machine needs longer than gunicorn's 30 to import MLflow and a framework of models
BY_PATH = ("joblib.load", "pickle.load", "cloudpickle.load")


def pipeline_text(plan: Plan) -> str:
    """Return the text of the pipeline's file.

    Example:
        >>> from pathlib import Path
        >>> print(pipeline_text(Plan(Path("/shop"), Path("/shop"), "shop", "id")).splitlines()[0])
        \"\"\"The path that seatrial tests, from the request to the answer.\"\"\"
    """
    parts = [
        f'"""The path that seatrial tests, from the request to the answer{_of(plan)}."""', "", *_imports(plan), "",
        *_request(plan), "", "", *_raw(plan), "", "", *_features(plan), "", "", *_response(plan), "", "",
        *_pipeline(plan), "",
    ]  # fmt: skip
    return "\n".join(parts)


def _of(plan: Plan) -> str:
    return f" of {plan.application.address}" if plan.application else f" of {plan.target}" if plan.target else ""


def _imports(plan: Plan) -> list[str]:
    own = []
    if (feature := importable(plan)) is not None:
        own = [f"from {feature[0]} import {feature[1]}"]
    return [f"import {_loader(plan).rpartition('.')[0]}", "", *own, "from seatrial import Pipeline, Service"]


def importable(plan: Plan) -> tuple[str, str] | None:
    """Return module and name of the function that makes features, where the pipeline's file can import it."""
    if plan.feature is None:
        return None
    module, function = plan.feature
    return (module.name, function.name) if module.importable and module.root == plan.folder else None


def _loader(plan: Plan) -> str:
    loader = plan.loaded.loader if plan.loaded else ""
    flavours = [model.flavour for model in plan.models if model.flavour]
    if (loader.startswith("mlflow.") and loader.count(".") == 2) or loader in BY_PATH:
        return loader
    return f"mlflow.{flavours[0]}.load_model" if flavours else "mlflow.pyfunc.load_model"


def _typed(plan: Plan) -> bool:
    return all(field.dtype for field in plan.request)


def _request(plan: Plan) -> Iterator[str]:
    """Yield the fields of a request: with their types, or where one is not known as they come."""
    opening, closing = "{}" if _typed(plan) else "[]"
    note = f"  # of {plan.request_model}" if plan.request_model else ""
    if not plan.request:
        note = f"  # {EDIT}: the fields of a request, with their pandas types"
    yield f"REQUEST = {opening}{note}"
    if plan.key not in {field.name for field in plan.request}:
        own = f"  # {EDIT}: names a request; the service ignores it" if plan.request else ""
        yield f"    {_entry(Field(plan.key, 'string'), _typed(plan))}{own}"
    yield from (f"    {_entry(field, _typed(plan))}" for field in plan.request)
    yield closing


def _entry(field: Field, typed: bool) -> str:
    return f"{json.dumps(field.name)}: {json.dumps(field.dtype)}," if typed else f"{json.dumps(field.name)},"


def _raw(plan: Plan) -> list[str]:
    head = ["def raw(requests):", '    """The requests as they arrive."""']
    if not _typed(plan):
        return [*head, "    return requests[REQUEST]"]
    optional = any(field.dtype in ("Int64", "boolean") for field in plan.request)
    take = "requests.reindex(columns=list(REQUEST))" if optional else "requests[list(REQUEST)]"
    return [*head, f"    return {take}.astype(REQUEST)"]


def _features(plan: Plan) -> list[str]:
    found = importable(plan)
    if found:
        key = _argument(plan.key, f"frame[{json.dumps(plan.key)}]")
        return [
            "def features(frame):", '    """The model\'s inputs, as training computes them, with the key."""',
            f"    return {found[1]}(frame).assign({key})",
        ]  # fmt: skip
    hint = "what training computes of a request; here, nothing"
    if plan.feature:
        module, function = plan.feature
        hint = f"move {function.name} of {module.path.relative_to(plan.root)} to a module that can be imported, call it"
    return [
        "def features(frame):", '    """The model\'s inputs, with the key."""',
        f"    return frame  # {EDIT}: {hint}",
    ]  # fmt: skip


def _response(plan: Plan) -> Iterator[str]:
    fields = [field for field in plan.answer if field.name != plan.key]
    scores = [field for field in fields if any(word in field.name.lower() for word in SCORES)]
    field = next(iter(scores or fields), Field("prediction"))
    rest = [each.name for each in fields if each != field]
    yield "def response(frame, model):"
    yield f'    """The answer{_handler(plan)}."""'
    yield f'    inputs = frame.drop(columns="{plan.key}")'
    if rest:
        yield f'    raise NotImplementedError("{EDIT}: return these fields too: {", ".join(rest)}")'
    call = "predict_proba(inputs)[:, 1]" if plan.method == "predict_proba" else "predict(inputs)"
    unsure = f"  # {EDIT}: or predict_proba, as the service does" if plan.target and plan.method == "predict" else ""
    yield f"    answer = model.{call}{unsure}"
    if plan.digits is not None:
        yield f"    answer = [round(float(each), {plan.digits}) for each in answer]"
    elif plan.method == "predict" and field.dtype in ("int64", "float64"):
        yield f'    answer = answer.astype("{field.dtype}")'
    last = "" if fields else f"  # {EDIT}: the fields of an answer"
    yield f'    return frame[["{plan.key}"]].assign({_argument(field.name, "answer")}){last}'


def _argument(name: str, value: str) -> str:
    return f"{name}={value}" if name.isidentifier() and not iskeyword(name) else f"**{{{json.dumps(name)}: {value}}}"


def _handler(plan: Plan) -> str:
    return f", as {plan.route.module.name}.{plan.route.handler.name} gives it" if plan.route else ""


def _pipeline(plan: Plan) -> Iterator[str]:
    loader = _loader(plan)
    yield "pipeline = Pipeline("
    yield f"    {json.dumps(plan.name)},"
    yield f"    key={json.dumps(plan.key)},"
    yield f'    model=lambda path: {loader}(f"{{path}}/model.pkl"),' if loader in BY_PATH else f"    model={loader},"
    yield "    raw=raw,"
    yield "    features=features,"
    yield "    response=response,"
    yield from (f"    {line}" for line in service_lines(plan))
    yield ")"


def service_lines(plan: Plan) -> list[str]:
    """Return the argument ``service=`` of the pipeline, line by line."""
    app, variable = plan.application, (plan.loaded.variable if plan.loaded else "") or MODEL_VARIABLE
    documented = plan.documented
    if plan.target:
        paths = [f'    predict="/predict",  # {EDIT}: the path that takes a request', "    openapi=None,"]
        if documented:
            paths = [f"    ready={json.dumps(documented.ready)},", f"    predict={json.dumps(documented.predict)},"]
        return ["service=Service(", f"    url={json.dumps(plan.target)},", *paths, "),"]
    if app is None or plan.route is None:
        return [
            f"service=Service(  # {EDIT}: how your service is started, or url= of one that runs",
            '    ["uvicorn", "app:app", "--port", "{port}"],',
            f'    env={{"{variable}": "{{model.path}}"}},', "),",
        ]  # fmt: skip
    ready = app.ready
    return [
        "service=Service(",
        f"    {json.dumps(_command(plan))},",
        f"    ready={json.dumps(ready)},"
        if ready
        else f'    ready="/health",  # {EDIT}: a path that answers GET with 200',
        f"    predict={json.dumps(plan.route.path)},",
        *([] if app.documented else ["    openapi=None,"]),
        f'    env={{"{variable}": "{{model.path}}{"/model.pkl" if _loader(plan) in BY_PATH else ""}"}},',
        f"    ready_seconds={BOOT},",
        "),",
    ]


def _command(plan: Plan) -> list[str]:
    app = plan.application
    assert app is not None, "without one there is no command"
    if app.framework == "fastapi":
        return ["uvicorn", *(["--factory"] if app.factory else []), app.address, "--port", "{port}"]
    address = f"{app.address}()" if app.factory else app.address
    if program(plan.root, "gunicorn"):
        return ["gunicorn", address, "--workers", "2", "--timeout", BOOT, "--bind", "127.0.0.1:{port}"]
    return ["flask", "--app", app.address, "run", "--port", "{port}"]
