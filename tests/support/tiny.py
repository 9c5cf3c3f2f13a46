"""The pipeline of the tiny service, and the service itself with one fault: in this process, or in one of its own."""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

import httpx
import numpy as np
import pandas as pd

from seatrial import Service
from seatrial.io.loading import load_file
from seatrial.targets.inprocess import InProcessService
from tests.support.paths import SUPPORT

TINY = SUPPORT / "tiny_service.py"
service: Any = load_file(TINY)
ROWS = 60


def parse(frame: pd.DataFrame) -> pd.DataFrame:
    """Read the payloads."""
    records = [json.loads(text) for text in frame["payload"]]
    return pd.DataFrame(
        {"id": [r["id"] for r in records], "x": [r["x"] for r in records], "at": [r["at"] for r in records]}
    ).astype({"id": "string", "x": "float64", "at": "string"})


def respond(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the right answers."""
    records = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    answers = pd.DataFrame([service.answer(r) for r in records])
    answers["at"] = pd.to_datetime(answers["at"], utc=True)
    return answers.astype({"id": "string", "level": "category", "score": "float64", "count": "int32"})


def requests(rows: int = ROWS) -> pd.DataFrame:
    """Return request rows, a tenth of them without a number."""
    rng = np.random.default_rng(4)
    xs = [None if n % 10 == 3 else float(rng.normal()) for n in range(rows)]
    at = [f"2025-03-{1 + n % 28:02d}T10:{n % 60:02d}:00+00:00" for n in range(rows)]
    texts = [json.dumps({"id": f"t{n}", "x": xs[n], "at": at[n]}) for n in range(rows)]
    return pd.DataFrame({"payload": texts}, dtype="string")


def process(fault: str, *, batch: str | None = "/batch", openapi: str | None = None) -> Service:
    """Declare the service with a fault, in a process of its own."""
    command = [sys.executable, str(TINY), "{port}", fault]
    return Service(command, predict="/score", batch=batch, openapi=openapi, ready_seconds=60, cwd=TINY.parent)


def in_process(fault: str, *, batch: str | None = "/batch") -> InProcessService:
    """Return the service with a fault, as a function in this process."""
    counter = itertools.count(1)

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"status": "ok"})
        status, content = service.respond(json.loads(request.content), fault, next(counter))
        return httpx.Response(status, content=json.dumps(content).encode())

    return InProcessService(handle, path="/score", key="id", batch=batch)
