"""The payments service: ``MODEL_PATH=… uvicorn service:app``. One payment in, one decision out, in JSON."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Literal

import pandas as pd
from circuitbreaker import CircuitBreaker
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from payments_model import load_model
from payments_store import POOL, FeatureStore, StoreUnavailable
from pipeline import STORE_URL, build_features, decide, parse, predict, respond
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

STORE_SECONDS = float(os.environ.get("STORE_SECONDS", "0.3"))  # what an answer may wait for the store
TROUBLE, PAUSE_SECONDS = 3, 1  # so many failures in a row, and the store is left alone for so long
MAX_BATCH, MAX_BODY_BYTES = 1_000, 2**20
DEGRADED = "The feature store did not answer: scored as an unknown customer."


class StoreInTime:
    """The feature store with a total deadline and a circuit breaker: it answers in time, or counts as unavailable."""

    def __init__(self, url: str) -> None:
        self.url, self.store, self.connecting = url, None, threading.Lock()
        self.calls = ThreadPoolExecutor(POOL)
        self.breaker = CircuitBreaker(TROUBLE, PAUSE_SECONDS, expected_exception=StoreUnavailable, name="store")

    def customers(self, ids: pd.Series) -> pd.DataFrame:
        if self.breaker.opened:
            raise StoreUnavailable("The feature store is left alone for a moment.")
        with self.breaker:
            return self.in_time(ids)

    def in_time(self, ids: pd.Series) -> pd.DataFrame:
        answer = self.calls.submit(self.query, ids)
        try:
            return answer.result(STORE_SECONDS)
        except TimeoutError as error:
            answer.cancel()  # a query that still waits for a thread is not sent any more
            raise StoreUnavailable("The feature store did not answer in time.") from error

    def query(self, ids: pd.Series) -> pd.DataFrame:
        with self.connecting:
            self.store = self.store or FeatureStore(self.url)
        return self.store.customers(ids)


def moment(text: str) -> str:
    """Hold a time to ISO 8601 with an offset, within this century."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None or not 2000 <= when.year < 2100:
        raise ValueError("a time has an offset and lies between 2000 and 2100")
    return text


class Payment(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    transaction_id: str = Field(pattern=r"^[!-~]{1,64}$")
    customer_id: int | None = Field(default=None, ge=1, lt=2**63, description="absent or null for a guest")
    cardholder: str = Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")
    amount: int = Field(ge=1, le=10**12, description="in minor units of the currency")
    currency: Literal["EUR", "GBP", "USD", "JPY", "INR", "NAD", "KWD", "BHD"]
    time: Annotated[str, AfterValidator(moment)] = Field(json_schema_extra={"format": "date-time"})
    country: str = Field(pattern=r"^[A-Z]{2}$")
    postcode: str = Field(pattern=r"^[0-9A-Z -]{2,10}$")
    device: str | None = Field(default=None, max_length=50)
    merchant_category: str = Field(pattern=r"^[0-9]{4}$")
    card_present: bool


class Answer(BaseModel):
    transaction_id: str
    probability: float | None = Field(ge=0, le=1, description="of fraud, to four decimals")
    band: Literal["low", "elevated", "high"] | None
    decision: Literal["approve", "review", "decline"] | None
    reasons: list[str]
    degraded: bool
    degraded_reason: str | None = Field(default=None, description="there when degraded, absent otherwise")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.model = load_model(os.environ["MODEL_PATH"])
    app.state.store = StoreInTime(os.environ.get("PAYMENTS_STORE_URL") or os.environ.get("STORE_URL") or STORE_URL)
    yield
    app.state.store.calls.shutdown(wait=False, cancel_futures=True)


app = FastAPI(title="Payments", version="1.0.0", lifespan=lifespan)


@app.middleware("http")
async def refuse_long_bodies(request: Request, call_next: Any) -> Any:
    if int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
        return JSONResponse({"detail": f"At most {MAX_BODY_BYTES} bytes are read."}, 413)
    return await call_next(request)


@app.exception_handler(RequestValidationError)
async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
    """Return where a request is wrong, never its values: they may be personal, NaN, or not Unicode."""
    where = [[str(part).encode("ascii", "backslashreplace").decode()[:80] for part in e["loc"]] for e in error.errors()]
    detail = [{"loc": loc, "msg": e["msg"], "type": e["type"]} for loc, e in zip(where, error.errors(), strict=True)]
    return JSONResponse({"detail": detail}, 422)


def score(payments: list[Payment]) -> list[dict[str, Any]]:
    """Run the path of training on these payments."""
    frame = parse(pd.DataFrame({"payload": [json.dumps(p.model_dump()) for p in payments]}))
    frame = predict(build_features(frame, app.state.store), app.state.model)
    answers = respond(decide(frame)).astype(object).to_dict(orient="records")
    for answer in answers:
        answer |= {k: None for k, v in answer.items() if v is pd.NA or (isinstance(v, float) and math.isnan(v))}
        if answer["degraded"]:
            answer["degraded_reason"] = DEGRADED
    return answers


@app.post("/score", response_model=Answer, response_model_exclude_unset=True)
def score_one(payment: Payment) -> Any:
    return score([payment])[0]


@app.post("/score/batch", response_model=list[Answer], response_model_exclude_unset=True)
def score_batch(payments: Annotated[list[Payment], Field(min_length=1, max_length=MAX_BATCH)]) -> Any:
    return score(payments)


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
