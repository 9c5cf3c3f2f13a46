"""A small churn pipeline and its service, with one planted cause: ``python churn.py PORT CAUSE`` serves it.

The stages are what the service runs too, as in most projects. A cause named ``served-…`` is in the service alone, and
``one+another`` plants two.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, Field

Frame = pd.DataFrame
STAGES = ("raw", "features", "prediction", "response")
COUNTRIES = ("DE", "FR", "US", "JP")


class Customer(BaseModel):
    """A request."""

    id: str
    days: int = Field(ge=0, le=100_000)
    spend: float = Field(ge=0, le=1e9, allow_inf_nan=False)
    country: Literal["DE", "FR", "US", "JP"]


def raw(frame: Frame) -> Frame:
    """Read the payloads."""
    names = ["id", "days", "spend", "country"]
    return pd.DataFrame([json.loads(text) for text in frame["payload"]], columns=names).astype(
        {"id": "string", "days": "int64", "spend": "float64", "country": "string"}
    )


def features(frame: Frame) -> Frame:
    """Return what the model needs."""
    return frame.assign(
        months=frame["days"] / 30.44,
        log_spend=np.log1p(frame["spend"]),
        domestic=frame["country"].eq("DE").astype("float64"),
    )


def prediction(frame: Frame) -> Frame:
    """Return the probabilities of both classes."""
    score = 1 / (1 + np.exp(frame["months"] / 24 - frame["log_spend"] / 5 + frame["domestic"] * 0.3))
    return frame[["id", "country", "months"]].assign(p_leave=score, p_stay=1 - score)


def response(frame: Frame) -> Frame:
    """Return the answers."""
    segment = frame["months"].gt(24).map({True: "old", False: "new"}).astype("string")
    return frame[["id"]].assign(risk=frame["p_leave"], segment=segment)


def requests(rows: int = 60) -> Frame:
    """Return request rows."""
    rng = np.random.default_rng(5)
    bodies = [
        {"id": f"c{n}", "days": int(rng.integers(40, 2_500)), "spend": round(float(rng.lognormal(4, 1)), 2),
         "country": COUNTRIES[n % 4]}
        for n in range(rows)
    ]  # fmt: skip
    return pd.DataFrame({"payload": [json.dumps(body) for body in bodies]}, dtype="string")


def _no_yen(frame: Frame) -> Frame:
    if frame["country"].eq("JP").any():
        raise KeyError("JP")
    return frame


def _broken(_: Frame) -> Frame:
    raise ZeroDivisionError


def _stamped(frame: Frame) -> Frame:
    """What a helper adds that every stage calls."""
    return frame.assign(stamp="2")


def _swapped(frame: Frame) -> Frame:
    return frame.assign(p_leave=frame["p_stay"], p_stay=frame["p_leave"])


CAUSES: dict[str, tuple[str, Callable[[Frame], Frame]]] = {
    "none": ("raw", lambda f: f),
    "renamed": ("features", lambda f: f.rename(columns={"months": "tenure"})),
    "dropped": ("features", lambda f: f.drop(columns=["log_spend"])),
    "new": ("raw", lambda f: f.assign(version="2")),
    "new-answer": ("response", lambda f: f.assign(model="b")),
    "dtype": ("raw", lambda f: f.assign(days=f["days"].astype("float64"))),
    "raises": ("prediction", _broken),
    "one-class-raises": ("features", _no_yen),
    "unit": ("features", lambda f: f.assign(months=f["days"])),
    "integer-division": ("features", lambda f: f.assign(months=f["days"] // 30)),
    "classes": ("prediction", _swapped),
    "rounding": ("response", lambda f: f.assign(risk=f["risk"].round(2))),
    "rounded-early": ("prediction", lambda f: f.assign(p_leave=f["p_leave"].round(2))),
    "renamed-answer": ("response", lambda f: f.rename(columns={"risk": "score"})),
    "log10": ("features", lambda f: f.assign(log_spend=np.log10(1 + f["spend"]))),
    "no-null": ("response", lambda f: f.assign(segment=f["segment"].str.upper())),
    "batch-mean": ("features", lambda f: f.assign(log_spend=f["log_spend"] - f["log_spend"].mean() + 4.0)),
    "stamp-raw": ("raw", _stamped),
    "stamp-features": ("features", _stamped),
    "stamp-response": ("response", _stamped),
}
"""The stage that a cause is in, and what it makes of the frame of that stage."""


def stages(cause: str = "none") -> dict[str, Callable[[Frame], Frame]]:
    """Return the stages with what was planted."""
    made: dict[str, Callable[[Frame], Frame]] = {name: globals()[name] for name in STAGES}
    for each in cause.split("+"):
        place, change = CAUSES.get(each, CAUSES["none"])
        made[place] = _then(made[place], change)
    return made


def _then(stage: Callable[[Frame], Frame], change: Callable[[Frame], Frame]) -> Callable[[Frame], Frame]:
    return lambda frame: change(stage(frame))


def application(cause: str) -> Any:
    """Return the service."""
    steps = stages("+".join(each.removeprefix("served-") for each in cause.split("+"))).values()
    app = FastAPI()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/predict")
    def predict(customer: Customer) -> dict[str, Any]:
        frame = pd.DataFrame({"payload": [customer.model_dump_json()]}, dtype="string")
        for step in steps:
            frame = step(frame)
        return {str(k): v for k, v in frame.to_dict(orient="records")[0].items()}

    return app


if __name__ == "__main__":
    import uvicorn

    sys.path.insert(0, str(Path(__file__).parent))
    uvicorn.run(application(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="critical")
