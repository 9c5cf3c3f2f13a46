"""From the text of a support ticket to the queue that answers it. Training and serving share these functions."""

import unicodedata

import pandas as pd
import skops.io

from seatrial import Pipeline, Service


def clean(tickets):
    text = tickets["subject"].fillna("") + " " + tickets["body"]
    plain = [unicodedata.normalize("NFKC", t).casefold() for t in text]
    return tickets[["ticket_id"]].assign(text=pd.array(plain, dtype="string"))


def predict(frame, model):
    scores = model.predict_proba(frame["text"])
    return frame[["ticket_id"]].assign(
        scores=[dict(zip(model.classes_, map(float, row), strict=True)) for row in scores]
    )


def respond(frame):
    best = [max(scores, key=scores.get) for scores in frame["scores"]]
    confidence = [max(scores.values()) for scores in frame["scores"]]
    return frame[["ticket_id"]].assign(queue=pd.array(best, dtype="string"), confidence=confidence)


def load_model(path):
    return skops.io.load(f"{path}/model.skops")


pipeline = Pipeline(
    "text",
    key="ticket_id",
    cleaned=clean,
    prediction=predict,
    response=respond,
    model=load_model,
    service=Service(
        ["gunicorn", "service:app", "--bind", "127.0.0.1:{port}"],
        env={"MODEL": "{model.path}"},
        openapi=None,
    ),
)
