"""The store of complaints: ``python store.py PORT``."""

import zlib

import uvicorn
from fastapi import FastAPI

app = FastAPI()


def complaints(customer):
    return (0, 0, 0, 1, 1, 2, 4)[zlib.crc32(customer.encode()) % 7]


@app.post("/complaints")
def look_up(ids: list[str]) -> dict[str, int]:
    return {each: complaints(each) for each in ids}


@app.get("/health")
def health():
    return {"status": "ok"}


if __name__ == "__main__":
    import sys

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", timeout_keep_alive=600)
