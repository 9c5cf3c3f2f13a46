"""A JSON service with one fault, for the checks that load it: ``FAULT=… MODEL=… uvicorn load_service:app``.

The model is a file that says how many seconds an answer takes.
"""

import asyncio
import os
import time
from pathlib import Path

from fastapi import FastAPI

FAULT = os.environ.get("FAULT", "")
SECONDS = float(Path(os.environ["MODEL"]).read_text()) if "MODEL" in os.environ else 0.001
app = FastAPI()
under_way = []
turn = asyncio.Lock()
kept = []


def answer(record):
    """The right answer to one request; also the path in process."""
    return {"id": record["id"], "score": record["x"] / 3}


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.get("/under_way")
async def how_many():
    return len(under_way)


@app.post("/predict")
async def predict(record: dict):
    under_way.append(1)
    try:
        if FAULT == "blocks":
            time.sleep(0.08)
        elif FAULT == "works":
            until = time.process_time() + 0.06
            while time.process_time() < until:
                pass
        elif FAULT == "leaks":
            kept.append(bytearray(os.urandom(1)) * 2_000_000)
        elif FAULT == "warms" and len(kept) < 60:
            kept.append(bytearray(os.urandom(1)) * 1_000_000)
        elif FAULT == "queues":
            async with turn:
                await asyncio.sleep(0.02)
        else:
            await asyncio.sleep(0.05 if FAULT == "shares" else SECONDS)
        told = answer(record)
        if FAULT == "shares" and len(under_way) > 1:
            told["score"] += 1
        return told
    finally:
        under_way.pop()
