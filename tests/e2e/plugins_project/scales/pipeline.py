"""Parcels: their weight is looked up over HTTP, and the price is the model's factor times the weight."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import httpx
import pandas as pd

from seatrial import Dependency, Pipeline, Service

SECONDS = 2.0
HERE = Path(__file__).parent


class LostError(Exception):
    """The scales did not answer, or not with a number."""


class Scales:
    """Asks the scales for the weight of a kind."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=SECONDS, limits=httpx.Limits(max_connections=8))

    def of(self, kind: str) -> float:
        try:
            return float(self.http.get(f"/{kind}").raise_for_status().json()["weight"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise LostError from error


class NoScales:
    """The declared fallback: every parcel weighs 1."""

    def of(self, kind: str) -> float:
        raise LostError


def parse(requests: pd.DataFrame) -> pd.DataFrame:
    return requests.astype({"x": "float64"})


def weigh(frame: pd.DataFrame, scales: Scales) -> pd.DataFrame:
    weights = []
    for kind in frame["kind"]:
        try:
            weights.append((1.0, False) if pd.isna(kind) else (scales.of(kind), False))
        except LostError:
            weights.append((1.0, True))
    return frame[["id", "x"]].assign(weight=[w for w, _ in weights], degraded=[lost for _, lost in weights])


def price(frame: pd.DataFrame, model: float) -> pd.DataFrame:
    return frame[["id", "degraded"]].assign(total=frame["x"] * frame["weight"] * model)


def load_model(path: str) -> float:
    return float(json.loads((Path(path) / "factor.json").read_text(encoding="utf-8")))


pipeline = Pipeline(
    "parcels",
    key="id",
    raw=parse,
    weights=weigh,
    price=price,
    model=load_model,
    dependencies=[Dependency("scales", os.environ.get("SCALES_URL", "http://127.0.0.1:1"), Scales, NoScales)],
    service=Service(
        command=[sys.executable, "-m", "uvicorn", "service:app", "--port", "{port}", "--log-level", "warning"],
        predict="jsonrpc+http://127.0.0.1:{port}/rpc",
        openapi=None,
        env={"MODEL_PATH": "{model.path}", "SCALES": "{scales.url}"},
        cwd=HERE,
    ),
)
