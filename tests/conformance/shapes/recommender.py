"""A recommender: factors of a matrix of ratings, for the films that a user has not seen; the answer is a list."""

import joblib
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.decomposition import NMF

from seatrial import Pipeline, Stage, Tolerance, TopK

USERS, FILMS, TASTES = 150, 50, 4
KEY = ("user_id", "film_id")


def _ratings():
    rng = np.random.default_rng(11)
    users, films = rng.gamma(0.5, 1, (USERS, TASTES)), rng.gamma(0.5, 1, (FILMS, TASTES))
    stars = np.clip(np.round(1 + 2 * users @ films.T + rng.normal(0, 0.3, (USERS, FILMS))), 1, 5)
    return np.where(rng.random((USERS, FILMS)) < 0.3, stars, 0)


def requests(seed):
    rng = np.random.default_rng(seed)
    users = rng.choice(np.arange(USERS + 10), 100, replace=False)  # ten of them are new
    seen = [sorted(int(f) for f in rng.choice(FILMS, rng.integers(0, 25), replace=False)) for _ in users]
    return pd.DataFrame({"user_id": [int(u) + 1_000 for u in users], "seen": seen})


def fit(folder):
    nmf = NMF(TASTES, init="nndsvda", random_state=0, max_iter=300)
    users = nmf.fit_transform(csr_matrix(_ratings()))
    known = {"users": {n + 1_000: row for n, row in enumerate(users)}, "films": nmf.components_.T}
    joblib.dump({**known, "popular": _ratings().mean(axis=0)}, folder / "factors.joblib")
    return folder / "factors.joblib"


def raw(frame):
    return frame.assign(history=frame["seen"].map(len).astype("int64"))


def candidates(frame, again=False):
    pairs = frame[["user_id", "seen"]].merge(pd.DataFrame({"film_id": range(FILMS)}), how="cross")
    new = [again or film not in seen for film, seen in zip(pairs["film_id"], pairs["seen"], strict=True)]
    return pairs.loc[new, [*KEY]].reset_index(drop=True)


def scores(frame, model):
    """A user without ratings gets what is popular."""
    users = [model["users"].get(user) for user in frame["user_id"]]
    films = frame["film_id"].to_numpy()
    score = [
        model["popular"][f] if u is None else float(u @ model["films"][f]) for u, f in zip(users, films, strict=True)
    ]
    return frame.assign(score=score, known=[u is not None for u in users])


def scores_by_position(frame, model):
    rows = list(model["users"].values())
    codes = frame["user_id"].astype("category").cat.codes  # of the users that came together, not of training
    score = [float(rows[u] @ model["films"][f]) for u, f in zip(codes, frame["film_id"], strict=True)]
    return frame.assign(score=score, known=frame["user_id"].isin(model["users"]))


def scores_without_popular(frame, model):
    found = scores(frame, model)
    return found.assign(score=found["score"].where(found["known"], 0.0))


def response(frame, ascending=False):
    ordered = frame.sort_values(["score", "film_id"], ascending=[ascending, True])
    rows = [
        {"user_id": user, "films": top[["film_id", "score"]].to_dict("records"), "best": float(top["score"].max())}
        for user, top in ordered.groupby("user_id", sort=False)
    ]
    return pd.DataFrame([{**row, "films": row["films"][:10]} for row in rows])


STAGES = {
    "raw": raw,
    "candidates": Stage(candidates, key=KEY),
    "scores": Stage(scores, key=KEY),
    "response": response,
}
SETTINGS = {"key": "user_id"}
pipeline = Pipeline("films", model=joblib.load, **SETTINGS, **STAGES)
POLICY = {"response": {"tolerances": {"films": TopK(10, overlap=0.9, by="film_id"), "best": Tolerance(rtol=1e-6)}}}
BUGS = {
    "films that were seen are recommended again": ("candidates", {"candidates": lambda frame: candidates(frame, True)}),
    "users are numbered anew in each batch": ("scores", {"scores": scores_by_position}),
    "a new user gets no popular films": ("scores", {"scores": scores_without_popular}),
    "the list ends where it should begin": ("response", {"response": lambda frame: response(frame, ascending=True)}),
}
