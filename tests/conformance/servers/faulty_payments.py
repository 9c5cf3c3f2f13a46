"""The payments service with a fault that ``PUT /fault/{name}`` sets, or takes away with ``none``."""

import os
import sys

sys.path.insert(0, os.environ["PAYMENTS"])

import numpy as np
import service
from payments_store import StoreUnavailable
from service import app

now = {"fault": "none"}
build, predict, decide, score = service.build_features, service.predict, service.decide, service.score
previous = service.load_model(os.environ["PREVIOUS_MODEL"])


@app.put("/fault/{name}")
def set_fault(name: str) -> dict[str, str]:
    now["fault"] = name
    return now


def features(frame, store):
    fault = now["fault"]
    if fault == "fallback-without-the-flag":
        return build(frame, Down()).assign(degraded=False)
    if fault == "local-time":
        frame = frame.assign(time=frame["time"].dt.tz_convert("Asia/Tokyo"))
    made = build(frame, store)
    if fault == "nulls-as-zero":
        made = made.fillna({"amount_ratio": 0.0, "account_age_days": 0.0})
    if fault == "set-order":
        names = list({"0763", "5411", "5541", "5732", "5812", "5944", "7995"})
        made["merchant_category"] = made["merchant_category"].map(dict(zip(sorted(names), names, strict=True)))
    return made


class Down:
    def customers(self, ids):
        raise StoreUnavailable("down")


def decided(frame):
    if now["fault"] == "rounded-before-the-threshold":
        frame = frame.assign(score=frame["score"].round(2))
    if now["fault"] == "other-class":
        frame = frame.assign(score=1 - frame["score"])
    return decide(frame)


def predicted(frame, model):
    return predict(frame, previous if now["fault"] == "previous-model" else model)


def scored(payments):
    answers = score(payments)
    if now["fault"] == "percent":
        for answer in answers:
            answer["probability"] = round(answer["probability"] * 0.01, 6)
    if now["fault"] == "mixed-up-batch" and len(answers) > 1:
        for answer, other in zip(answers, np.roll([a["probability"] for a in answers], 1).tolist(), strict=True):
            answer["probability"] = other
    if now["fault"] == "broken" and payments[0].device is None:
        raise ValueError("no device")
    return answers


service.build_features, service.predict, service.decide, service.score = features, predicted, decided, scored
