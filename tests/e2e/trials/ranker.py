"""What to show a visitor of a shop: a request, its candidates, their score, the best eight in order, and one answer.

Requests have a key of two columns, candidates one of three; a request that nothing is offered for gets no answer.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from seatrial import Pipeline, Policy, Quality, Stage, StagePolicy, Tolerance

REQUEST, ROW = ("user", "asked_at"), ("user", "asked_at", "item")
INPUTS = ["price_ratio", "price_rank", "likeness", "same_brand", "rating"]
KINDS, BRANDS = ["shoes", "coats", "hats", "bags"], ["alto", "brio", "calma", "dolce"]
ITEMS, SHOWN, WIDTH = 160, 8, 16

_rng = np.random.default_rng(0)
ITEM_VECTORS = _rng.normal(size=(ITEMS, WIDTH)).astype("float32")
USER_VECTORS = _rng.normal(size=(300, WIDTH)).astype("float32")
CATALOGUE = pd.DataFrame(
    {
        "item": [f"i{n:03d}" for n in range(ITEMS)],
        "kind": _rng.choice(KINDS, ITEMS),
        "brand": _rng.choice(BRANDS, ITEMS),
        "price": _rng.lognormal(3.5, 0.6, ITEMS).round(2),
        "rating": np.where(_rng.random(ITEMS) < 0.1, np.nan, _rng.uniform(1, 5, ITEMS).round(1)),
    }
)


def requests(rows: int, seed: int) -> pd.DataFrame:
    """What visitors asked for, as it arrived: a user, a moment, and JSON text; about one in 30 can afford nothing."""
    rng = np.random.default_rng([seed, 5])
    wishes = [
        {"kind": str(rng.choice(KINDS)), "brand": str(rng.choice(BRANDS)) if rng.random() < 0.6 else None,
         "budget": round(float(rng.lognormal(4.2, 0.7)), 2)}
        for _ in range(rows)
    ]  # fmt: skip
    return pd.DataFrame(
        {
            "user": rng.integers(0, len(USER_VECTORS), rows),
            "asked_at": pd.Timestamp("2026-03-01") + pd.to_timedelta(rng.permutation(rows * 9)[:rows], unit="min"),
            "wish": [json.dumps(w) for w in wishes],
        }
    )


def parse(frame: pd.DataFrame) -> pd.DataFrame:
    wishes = [json.loads(w) for w in frame["wish"]]
    return frame[[*REQUEST]].assign(
        kind=pd.Categorical([w["kind"] for w in wishes], categories=KINDS),
        brand=pd.array([w["brand"] for w in wishes], dtype="string"),
        budget=np.array([w["budget"] for w in wishes], dtype="float64"),
    )


def find(frame: pd.DataFrame) -> pd.DataFrame:
    """Candidates: what is of the kind and within the budget, in the order of the catalogue."""
    wanted = frame.astype({"kind": "object"}).rename(columns={"brand": "liked"})
    found = wanted.merge(CATALOGUE.astype({"brand": "string"}), on="kind", how="left")
    return found[found["price"] <= found["budget"]].reset_index(drop=True)


def build(frame: pd.DataFrame) -> pd.DataFrame:
    """Features: of an item among those of its request, and how like the user it is; float32 vectors."""
    by = frame.groupby([*REQUEST])["price"]
    users, items = USER_VECTORS[frame["user"]], ITEM_VECTORS[frame["item"].str[1:].astype("int64")]
    return frame[[*ROW]].assign(
        price_ratio=frame["price"] / by.transform("mean"),
        price_rank=by.rank(method="min"),
        likeness=(users * items).sum(axis=1) / np.sqrt((users**2).sum(axis=1) * (items**2).sum(axis=1)),
        same_brand=(frame["brand"] == frame["liked"]).fillna(False).astype("bool"),
        rating=frame["rating"],
        vector=pd.Series(list(users * items), index=frame.index, dtype="object"),
    )


def predict(frame: pd.DataFrame, model: Any) -> pd.DataFrame:
    score = model.predict(frame[INPUTS].astype("float64")) if len(frame) else np.empty(0)
    return frame[[*ROW]].assign(score=score)


def rank(frame: pd.DataFrame) -> pd.DataFrame:
    """The best eight of a request, the best first; equal ones by name."""
    ordered = frame.sort_values([*REQUEST, "score", "item"], ascending=[True, True, False, True], ignore_index=True)
    shown = ordered.groupby([*REQUEST]).head(SHOWN).reset_index(drop=True)
    return shown.assign(position=shown.groupby([*REQUEST]).cumcount() + 1)


def respond(frame: pd.DataFrame) -> pd.DataFrame:
    """Response: one row a request with the list of what is shown."""
    answers = [
        (*key, [{"item": i, "score": round(s, 4)} for i, s in zip(rows["item"], rows["score"], strict=True)])
        for key, rows in frame.groupby([*REQUEST], sort=False)
    ]
    made = pd.DataFrame(answers, columns=[*REQUEST, "items"])
    return made.astype({"user": "int64", "asked_at": frame["asked_at"].dtype})


STAGES = {
    "raw": parse,
    "candidates": Stage(find, key=ROW),
    "features": Stage(build, key=ROW),
    "prediction": Stage(predict, key=ROW),
    "ranking": Stage(rank, key=ROW, ordered=True),
    "response": respond,
}
policy = Policy(
    {
        "prediction": StagePolicy(quality=Quality("bought", "score", {"ndcg@8": 0.4})),
        "response": StagePolicy({"items": Tolerance(atol=1e-4)}),
    }
)


def make(**changed: Any) -> Pipeline:
    """The pipeline, with other functions in the place of some."""
    stages = {
        name: Stage(changed.get(name, stage.function), key=stage.key, ordered=stage.ordered)
        if isinstance(stage, Stage)
        else changed.get(name, stage)
        for name, stage in STAGES.items()
    }
    return Pipeline("ranker", key=REQUEST, model=lambda path: path, **stages)


pipeline = make()


def labels(asked: pd.DataFrame, seed: int) -> pd.DataFrame:
    """What was bought of the candidates: what is liked, cheap for its request, and well rated."""
    rows = build(find(parse(asked)))
    drawn = np.random.default_rng([seed, 6]).normal(0, 0.6, len(rows))
    worth = 2 * rows["likeness"] - rows["price_ratio"] + 0.8 * rows["same_brand"] + 0.3 * rows["rating"].fillna(2)
    best = (worth + drawn).groupby([rows[name] for name in REQUEST]).rank(ascending=False)
    return rows[[*ROW]].assign(bought=(best <= 2).astype("int64"))


def fit(seed: int, rows: int = 600) -> Any:
    """Return the model, learnt from requests of its own."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    asked = requests(rows, seed)
    features = build(find(parse(asked)))
    model = HistGradientBoostingRegressor(max_iter=40, random_state=0)
    return model.fit(features[INPUTS].astype("float64"), labels(asked, seed)["bought"])
