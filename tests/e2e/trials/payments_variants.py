"""The payments service with one fault each, all in one process: ``uvicorn payments_variants:app``.

Each variant is the real service, loaded anew and patched, under a prefix of its own: ``/clean``, ``/renamed`` …
"""

import importlib.util
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, Field

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "payments"
sys.path.insert(0, str(EXAMPLE))


def load(name):
    spec = importlib.util.spec_from_file_location(f"service_{name}", EXAMPLE / "service.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.app.root_path_in_servers = False
    return module


def reroute(module, answer, payment=None, **options):
    """Put another function behind /score."""
    payment = payment or module.Payment

    def score_one(body):
        return answer(body)

    score_one.__annotations__ = {"body": payment}
    routes = module.app.router.routes
    routes[:] = [r for r in routes if getattr(r, "path", "") not in ("/score", "/score/batch")]
    module.app.post("/score", response_model_exclude_unset=True, **options)(score_one)


def refusing(module, status, body):
    def refuse(_: Request, error: RequestValidationError):
        return JSONResponse(body, status)

    module.app.exception_handler(RequestValidationError)(refuse)


def clean(module):
    pass


def nan(module):
    """45: a plain dict is returned, with NaN where a guest has no history."""

    def answer(payment):
        said = module.score([payment])[0]
        return said | ({"amount_ratio": float("nan")} if payment.customer_id is None else {})

    reroute(module, answer)


def number(module):
    """47: the id goes out as a number beyond 2^53."""

    class Answer(module.Answer):
        transaction_id: int

    def answer(payment):
        digits = sum(map(ord, payment.transaction_id))
        return module.score([payment])[0] | {"transaction_id": 2**53 + 1 + digits}

    reroute(module, answer, response_model=Answer)


def renamed(module):
    """49: the decision goes out under another name."""

    class Answer(module.Answer):
        decision: Literal["approve", "review", "decline"] | None = Field(serialization_alias="verdict")

    reroute(module, lambda payment: module.score([payment])[0], response_model=Answer)


def removed(module):
    """49: the decision goes out no more."""

    class Answer(module.Answer):
        decision: Literal["approve", "review", "decline"] | None = Field(default=None, exclude=True)

    reroute(module, lambda payment: module.score([payment])[0], response_model=Answer)


def ignoring(module):
    """51: a field nobody knows is ignored, and a misspelt one takes its default."""

    class Lenient(module.Payment):
        model_config = ConfigDict(strict=True, extra="ignore")

    reroute(module, lambda payment: module.score([payment])[0], Lenient, response_model=module.Answer)


def coercing(module):
    """Values of another type are read as if they were right."""

    class Lenient(module.Payment):
        model_config = ConfigDict(strict=False, extra="forbid", coerce_numbers_to_str=True)

    reroute(module, lambda payment: module.score([payment])[0], Lenient, response_model=module.Answer)


def broken(module):
    """53: a refusal is a 500."""
    refusing(module, 500, {"detail": []})


def hidden(module):
    """53: a refusal is a success that holds an error."""
    refusing(module, 200, {"error": "invalid request"})


def reshaped(module):
    """53: a refusal has another shape than is documented."""
    refusing(module, 422, {"error": "invalid request"})


def moved(module):
    """53: a refusal has another status than is documented."""
    refusing(module, 400, {"detail": []})


def percent(module):
    """The score goes out in percent, and the OpenAPI says so."""

    class Answer(module.Answer):
        probability: float | None = Field(ge=0, le=100)

    def answer(payment):
        said = module.score([payment])[0]
        return said | {"probability": said["probability"] and said["probability"] * 100}

    reroute(module, answer, response_model=Answer)


VARIANTS = (clean, nan, number, renamed, removed, ignoring, coercing, broken, hidden, reshaped, moved, percent)
MODULES = {patch.__name__: load(patch.__name__) for patch in VARIANTS}
for patch in VARIANTS:
    patch(MODULES[patch.__name__])


@asynccontextmanager
async def lifespan(app):
    async with AsyncExitStack() as stack:
        for module in MODULES.values():
            await stack.enter_async_context(module.app.router.lifespan_context(module.app))
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
def health():
    return {"status": "ok"}


for name, module in MODULES.items():
    app.mount(f"/{name}", module.app)
