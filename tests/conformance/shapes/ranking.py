"""Learning to rank: LambdaMART of LightGBM orders the products of a shop for a query."""

import lightgbm
import numpy as np
import pandas as pd

from seatrial import Dependency, Pipeline, Quality, Stage, Tolerance

WORDS = ("red", "blue", "running", "leather", "winter", "shoe", "boot", "jacket", "shirt", "bag")
INPUTS = ["overlap", "price", "price_rank", "rating", "stock"]
KEY = ("request_id", "product_id")


def _catalogue():
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "product_id": [f"p{n:03d}" for n in range(60)],
            "title": [" ".join(rng.choice(WORDS, 3, replace=False)) for _ in range(60)],
            "price": rng.lognormal(3.5, 0.6, 60).round(2),
            "rating": rng.normal(4, 0.5, 60).clip(1, 5).round(1),
        }
    )


CATALOGUE = _catalogue()


class Warehouse:
    """What is in stock; a product that it does not know was sold out."""

    def stock(self, products):
        known = sorted({p for p in products if int(p[1:]) % 9})
        return pd.DataFrame({"product_id": known, "stock": [int(p[1:]) * 37 % 11 for p in known]})


def requests(seed):
    rng = np.random.default_rng(seed)
    queries = [" ".join(rng.choice(WORDS, 2, replace=False)) for _ in range(100)]
    return pd.DataFrame(
        {
            "request_id": [f"{seed}-{n:03d}" for n in range(100)],
            "query": [q.upper() + " " if rng.random() < 0.3 else q for q in queries],
        }
    )


def labels(asked):
    """What was clicked: the more words match, and the better it is rated, the more often."""
    rows = features(candidates(raw(asked)), Warehouse())
    rng = np.random.default_rng(len(rows))
    worth = rows["overlap"] + rows["rating"] - rows["price_rank"] / 10 + rng.normal(0, 0.5, len(rows))
    return rows[list(KEY)].assign(relevance=pd.cut(worth, [-9, 4.5, 5.2, 5.8, 99], labels=False).astype("int64"))


def fit(folder):
    rows = features(candidates(raw(requests(900))), Warehouse())
    known = labels(requests(900))["relevance"]
    sizes = rows.groupby("request_id", sort=False).size()
    ranker = lightgbm.LGBMRanker(n_estimators=30, num_leaves=7, n_jobs=1, random_state=0, verbose=-1)
    ranker.fit(rows[INPUTS], known, group=sizes.to_numpy())
    ranker.booster_.save_model(folder / "ranker.txt")
    return folder / "ranker.txt"


def load(path):
    return lightgbm.Booster(model_file=path)


def raw(frame):
    return frame.assign(query=frame["query"].str.strip().str.lower())


def candidates(frame):
    words = frame[["request_id", "query"]].assign(word=frame["query"].str.split()).explode("word")
    titles = CATALOGUE.assign(word=CATALOGUE["title"].str.split()).explode("word")
    found = words.merge(titles[["product_id", "word"]], on="word").groupby([*KEY, "query"], as_index=False).size()
    return found.rename(columns={"size": "overlap"}).merge(CATALOGUE, on="product_id")


def features(frame, warehouse, by="request_id"):
    joined = frame.merge(warehouse.stock(frame["product_id"].unique()), on="product_id", how="left")
    prices = joined.groupby(by)["price"] if by else joined["price"]
    return joined[[*KEY, "overlap", "price", "rating"]].assign(
        price_rank=prices.rank(method="min").astype("int64"), stock=joined["stock"].fillna(0).astype("int64")
    ).sort_values([*KEY], ignore_index=True)  # fmt: skip


def ranking(frame, model, ascending=False):
    scored = frame[[*KEY, "stock"]].assign(score=model.predict(frame[INPUTS], num_threads=1))
    order = ["request_id", "score", "product_id"]
    return scored.sort_values(order, ascending=[True, ascending, True], ignore_index=True)


def page(frame):
    """The first ten of what is in stock."""
    return frame[frame["stock"] > 0].groupby("request_id").head(10)[[*KEY, "score"]].reset_index(drop=True)


def page_cut_too_early(frame):
    top = frame.groupby("request_id").head(10)
    return top.loc[top["stock"] > 0, [*KEY, "score"]].reset_index(drop=True)


STAGES = {
    "raw": raw,
    "candidates": Stage(candidates, key=KEY),
    "features": Stage(features, key=KEY),
    "ranking": Stage(ranking, key=KEY, ordered=True),
    "page": Stage(page, key=KEY, ordered=True),
}
SETTINGS = {"key": "request_id", "dependencies": [Dependency("warehouse", "memory://", lambda _: Warehouse())]}
pipeline = Pipeline("shop-search", model=load, **SETTINGS, **STAGES)
POLICY = {
    "ranking": {"tolerances": {"score": Tolerance(rtol=1e-6)}},
    "page": {"quality": Quality("relevance", score="score", limits={"ndcg@10": 0.6})},
}
BUGS = {
    "prices are ranked among all rows that arrived together": (
        "features",
        {"features": lambda frame, warehouse: features(frame, warehouse, by=None)},
    ),
    "the worst comes first": ("ranking", {"ranking": lambda frame, model: ranking(frame, model, ascending=True)}),
    "the list is cut before what is sold out is taken away": ("page", {"page": page_cut_too_early}),
    "a query keeps its capitals": ("raw", {"raw": lambda frame: frame}),
}
