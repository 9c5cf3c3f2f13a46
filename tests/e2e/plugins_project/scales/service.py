"""The service: ``/rpc`` takes JSON-RPC calls, ``/predict`` plain requests; both refuse what they do not declare."""

from __future__ import annotations

import os
from typing import Any, Literal, TypeVar

import pandas as pd
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pipeline import Scales, load_model, parse, price, weigh
from pydantic import BaseModel, ConfigDict, Field, ValidationError

T = TypeVar("T", bound=BaseModel)
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
app, scales, model = FastAPI(), Scales(os.environ["SCALES"]), load_model(os.environ["MODEL_PATH"])


class Parcel(BaseModel):
    model_config = STRICT

    id: str = Field(pattern=r"^[!-~]{1,64}$")
    kind: Literal["a", "b", "c"] | None
    x: float


class Call(BaseModel):
    model_config = STRICT

    jsonrpc: Literal["2.0"]
    id: int
    method: Literal["predict"]
    params: Parcel


async def read(request: Request, kind: type[T]) -> T | JSONResponse:
    if request.headers.get("content-type") != "application/json":
        return JSONResponse({"error": "Send application/json."}, 415)
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        return JSONResponse({"error": f"{error.error_count()} fields cannot be used."}, 422)


def answer(parcel: Parcel) -> dict[str, Any]:
    frame = pd.DataFrame([parcel.model_dump()]).astype({"kind": "object"})
    [told] = price(weigh(parse(frame), scales), model).to_dict(orient="records")
    return {**told, "reason": "The scales did not answer."} if told["degraded"] else told


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(request: Request) -> Any:
    parcel = await read(request, Parcel)
    return parcel if isinstance(parcel, JSONResponse) else await run_in_threadpool(answer, parcel)


@app.post("/rpc")
async def rpc(request: Request) -> Any:
    call = await read(request, Call)
    if isinstance(call, JSONResponse):
        return call
    return {"jsonrpc": "2.0", "id": call.id, "result": await run_in_threadpool(answer, call.params)}
