"""A JSON service with one fault, for the checks that load it: ``FAULT=… uvicorn load_service:app``."""

import asyncio
import os
import time

from fastapi import FastAPI

FAULT = os.environ.get("FAULT", "")
app = FastAPI()
under_way = []


def answer(record):
    """The right answer to one request; also the path in process."""
    return {"id": record["id"], "score": record["x"] / 3}


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.post("/predict")
async def predict(record: dict):
    under_way.append(1)
    try:
        if FAULT == "blocks":
            time.sleep(0.08)
        else:
            await asyncio.sleep(0.05 if FAULT == "shares" else 0.001)
        told = answer(record)
        if FAULT == "shares" and len(under_way) > 1:
            told["score"] += 1
        return told
    finally:
        under_way.pop()
