"""A service that asks scales, over HTTP or in a Redis: ``SCALES=… FAULT=… uvicorn weather_service:app``."""

import contextlib
import math
import os

import httpx
import pandas as pd
from fastapi import FastAPI

SECONDS = 0.5
FAULT = os.environ.get("FAULT", "")
app = FastAPI()


class LostError(Exception):
    """The scales did not answer, or not with a number."""


class Scales:
    """Asks the scales for the weight of a kind."""

    def __init__(self, url):
        self.http = httpx.Client(base_url=url.split(",")[0], timeout=SECONDS, limits=httpx.Limits(max_connections=8))

    def of(self, kind):
        tries = {"retry": 2, "retries": 9}.get(FAULT, 1)
        for left in reversed(range(tries)):
            try:
                return weight_in(self.http.get(f"/{kind}"))
            except (httpx.HTTPError, LostError) as error:
                if not left:
                    raise LostError from error
        raise AssertionError


class RedisScales:
    """Looks the weight of a kind up in a Redis."""

    def __init__(self, url):
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.lost = redis.RedisError
        pool = redis.BlockingConnectionPool.from_url(
            url, max_connections=8, timeout=SECONDS, socket_timeout=SECONDS, socket_connect_timeout=SECONDS,
            retry=Retry(NoBackoff(), 8 if FAULT == "retries" else 0),
        )  # fmt: skip
        self.redis = redis.Redis.from_pool(pool)

    def of(self, kind):
        try:
            return float(self.redis.get(kind))
        except (self.lost, TypeError, ValueError) as error:
            raise LostError from error


class NoScales:
    """The declared fallback."""

    def of(self, kind):
        raise LostError


def weight_in(answer):
    """The weight in an answer; LostError where there is none."""
    try:
        weight = answer.raise_for_status().json()["weight"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise LostError from error
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
        raise LostError
    return weight


def weigh(frame, scales):
    """Rows without a kind do not ask; the others weigh 1 where the scales are lost, and say so."""
    weights = []
    for kind in frame["kind"]:
        try:
            weights.append((1.0, False) if pd.isna(kind) else (scales.of(kind), False))
        except LostError:
            if FAULT == "unhandled":
                raise
            weights.append((1.0, True))
    return frame[["id", "x"]].assign(weight=[float(w) for w, _ in weights], degraded=[lost for _, lost in weights])


def total(frame):
    return frame[["id", "degraded"]].assign(total=frame["x"] * frame["weight"])


class AdvertisedScales(Scales):
    """Pings the given address and reads from another, as clients of a broker or a cluster do."""

    def __init__(self, url):
        super().__init__(os.environ["ADVERTISED"])
        self.given = httpx.Client(base_url=url, timeout=SECONDS, limits=httpx.Limits(max_connections=4))

    def of(self, kind):
        with contextlib.suppress(httpx.HTTPError):
            self.given.get("/a")
        return super().of(kind)


def scales_at(url):
    """The client that an address asks for."""
    if FAULT == "advertised":
        return AdvertisedScales(url)
    return RedisScales(url) if url.startswith(("redis:", "unix:")) else Scales(url)


scales = scales_at(os.environ.get("SCALES", "http://127.0.0.1:1"))


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.post("/predict")
def predict(record: dict):
    told = total(weigh(pd.DataFrame([record]).astype({"kind": "object"}), scales)).to_dict(orient="records")[0]
    if told["degraded"]:
        told["reason"] = "The scales did not answer."
    if FAULT == "flag":
        told = {**told, "degraded": False}
    return told


@app.post("/instances")
def instances(body: dict):
    """The same in an envelope, whose records have no key."""
    told = [predict({"id": "", **record}) for record in body["instances"]]
    return {"predictions": [{name: value for name, value in each.items() if name != "id"} for each in told]}
