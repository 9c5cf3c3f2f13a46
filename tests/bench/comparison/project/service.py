"""The churn service: ``MODEL_PATH=... STORE_URL=... uvicorn service:app``; it logs its features to ``SERVED_LOG``."""

import json
import os
import threading
import time
from typing import Annotated, Literal

import features
import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MODEL = joblib.load(os.path.join(os.environ["MODEL_PATH"], "model.pkl"))
STORE = features.Store(os.environ["STORE_URL"])
LOG, LOCK = os.environ.get("SERVED_LOG"), threading.Lock()


class Breaker:
    """After three failures in a row, the store is left alone for a second."""

    failures, until = 0, 0.0

    def complaints(self, ids):
        if time.monotonic() < self.until:
            raise features.StoreUnavailable("left alone for a moment")
        try:
            found = STORE.complaints(ids)
        except features.StoreUnavailable:
            self.failures += 1
            if self.failures >= 3:
                self.until = time.monotonic() + 1
            raise
        self.failures = 0
        return found


BREAKER = Breaker()


def moment(text):
    when = pd.Timestamp(text)
    if when.tzinfo is None or not 2000 <= when.year < 2100:
        raise ValueError("a time has an offset and lies between 2000 and 2100")
    return text


class Asked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    customer_id: str = Field(pattern=r"^[!-~]{1,40}$")
    asked_at: Annotated[str, AfterValidator(moment)] = Field(json_schema_extra={"format": "date-time"})
    country: Literal["DE", "FR", "NL", "GB"]
    bill_minor: int = Field(ge=0, le=10**9)
    tenure_months: float | None = Field(ge=0, le=1200)
    calls: int = Field(ge=0, le=10**6)
    minutes: float = Field(ge=0, le=10**6)


class Answer(BaseModel):
    customer_id: str
    risk: float
    label: Literal["stays", "leaves"]
    degraded: bool
    degraded_reason: str | None = None


app = FastAPI(title="churn", version="1.0.0")


@app.post("/predict", response_model_exclude_none=True)
def predict(asked: Asked) -> Answer:
    record = asked.model_dump()
    built = features.build(features.parse(pd.DataFrame([record])), BREAKER)
    decided = features.decide(features.predict(built, MODEL))
    answer = json.loads(features.respond(decided).to_json(orient="records", double_precision=15))[0]
    if LOG:
        with LOCK, open(LOG, "a", encoding="utf-8") as log:
            log.write(built.to_json(orient="records", lines=True, double_precision=15))
    if answer["degraded"]:
        answer["degraded_reason"] = "the store did not answer"
    return answer


@app.get("/health")
def health():
    return {"status": "ok"}
