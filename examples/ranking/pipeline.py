"""From what a reader has read to the articles to show, several rows a request. Training and serving share this."""

import pandas as pd
import skops.io

from seatrial import Pipeline, Service, Stage

SECTIONS = ["culture", "money", "science", "sport"]
ARTICLES = [f"{section}-{n}" for section in SECTIONS for n in range(8)]
SHOWN = 5
ROWS = ("request_id", "article")  # what names a row: the request, and the article within it


def parse(requests):
    return requests.astype({"request_id": "string", "section": "string"})


def fetch(frame):
    """Return the articles of the section that the reader has not read; there may be none."""
    rows = [
        (row.request_id, article, row.history)
        for row in frame.itertuples()
        for article in ARTICLES
        if article.startswith(row.section) and article not in row.history
    ]
    return pd.DataFrame(rows, columns=["request_id", "article", "history"]).astype({"request_id": "string"})


def rank(frame, model):
    """Return the articles that are closest to the history of their request, the best first."""
    vectors = dict(zip(ARTICLES, model.components_.T, strict=True))
    pairs = zip(frame["article"], frame["history"], strict=True)
    scores = [float(sum(vectors[article] @ vectors[read] for read in history)) for article, history in pairs]
    ranked = frame[["request_id", "article"]].assign(score=pd.Series(scores, frame.index, dtype="float64"))
    ranked = ranked.sort_values(["request_id", "score", "article"], ascending=[True, False, True])
    return ranked.groupby("request_id").head(SHOWN).reset_index(drop=True)


def load_model(path):
    return skops.io.load(f"{path}/model.skops")


pipeline = Pipeline(
    "ranking",
    key="request_id",
    raw=parse,
    candidates=Stage(fetch, key=ROWS),
    ranking=Stage(rank, key=ROWS, ordered=True),
    model=load_model,
    service=Service(["uvicorn", "service:app", "--port", "{port}"], env={"MODEL": "{model.path}"}),
)
