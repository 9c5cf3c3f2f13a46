"""The payments service with a switch: ``POST /break/<what>`` takes one protection away, ``none`` gives all back."""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "examples" / "payments"))

import service
import sqlalchemy as sa
from circuitbreaker import CircuitBreaker
from payments_store import PATIENCE, StoreUnavailable
from service import StoreInTime, app

WHOLE = {name: getattr(service, name) for name in ("decide", "build_features")}


def tried(call):
    """The call, tried three times."""

    def again(ids):
        for _ in range(2):
            with suppress(StoreUnavailable):
                return call(ids)
        return call(ids)

    return again


def without_deadline(store):
    store.in_time = store.ask
    store.store.engine = sa.create_engine(store.url, pool_size=8, max_overflow=0, isolation_level="AUTOCOMMIT")


def without_breaker(store):
    store.breaker = CircuitBreaker(10**9, 1, expected_exception=StoreUnavailable)


def without_flag(store):
    service.decide = lambda frame: WHOLE["decide"](frame).assign(degraded=False)


def without_pool(store):
    store.calls = ThreadPoolExecutor(64)
    store.store.engine = sa.create_engine(store.url, connect_args=PATIENCE, pool_size=0, isolation_level="AUTOCOMMIT")


def wrong_value(store):
    def features(frame, lookup):
        made = WHOLE["build_features"](frame, lookup)
        return made.assign(chargebacks=made["chargebacks"].where(~made["degraded"], 3))

    service.build_features = features


def retries(store):
    store.ask = tried(store.ask)
    store.in_time = tried(store.in_time)


BREAKS = {
    "deadline": without_deadline, "breaker": without_breaker, "flag": without_flag, "pool": without_pool,
    "value": wrong_value, "retries": retries,
}  # fmt: skip


@app.post("/break/{what}")
def take_away(what: str) -> dict[str, str]:
    for name, whole in WHOLE.items():
        setattr(service, name, whole)
    before = app.state.store
    app.state.store = StoreInTime(before.url)
    app.state.store.store = service.FeatureStore(before.url)
    if before.store is not None:
        before.store.engine.dispose()
    before.calls.shutdown(wait=False, cancel_futures=True)
    if what in BREAKS:
        BREAKS[what](app.state.store)
    return {"broken": what}
