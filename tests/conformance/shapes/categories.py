"""LightGBM with categories: who earns more, from a census with its blanks and question marks."""

import lightgbm
import numpy as np
import pandas as pd

from seatrial import Pipeline, Tolerance

LEVELS = {
    "workclass": ["Private", "Self-emp", "Federal-gov", "State-gov"],
    "education": ["HS-grad", "Some-college", "Bachelors", "Masters", "Doctorate"],
    "occupation": ["Sales", "Craft-repair", "Exec-managerial", "Tech-support", "Other-service"],
}
INPUTS = ["age", "hours", "capital", *LEVELS]


def requests(seed):
    rng = np.random.default_rng(seed)
    count = 250
    rows = {name: rng.choice([*levels, "?", "Never-seen"][: len(levels) + 2], count) for name, levels in LEVELS.items()}
    return pd.DataFrame(
        {
            "person_id": rng.choice(10**6, count, replace=False),
            "age": rng.integers(17, 90, count),
            "hours-per-week": rng.integers(5, 80, count).astype(str),
            "capital-gain": [f"{v:,}" for v in rng.choice([0, 0, 0, 2_174, 14_084, 99_999], count)],
            **{name: [f" {v}" for v in values] for name, values in rows.items()},
        }
    )


def labels(asked):
    return asked[["person_id"]].assign(income=_income(raw(asked)))


def _income(rows):
    rng = np.random.default_rng(3)
    learned = rows["education"].map({v: n for n, v in enumerate(LEVELS["education"])}).fillna(1).astype(float)
    manages = (rows["occupation"] == "Exec-managerial").astype(float)
    worth = rows["age"] / 30 + learned + 1.5 * manages + (rows["capital"] > 5_000) + rng.normal(0, 0.7, len(rows))
    return (worth > 4).astype("int64")


def fit(folder):
    rows = pd.concat([raw(requests(seed)) for seed in range(900, 904)], ignore_index=True)
    known = features(rows)
    model = lightgbm.LGBMClassifier(
        n_estimators=40, num_leaves=15, n_jobs=1, random_state=0, verbose=-1, min_child_samples=10
    )
    model.fit(coded(known), _income(rows), categorical_feature=[INPUTS.index(name) for name in LEVELS])
    model.booster_.save_model(folder / "census.txt")
    return folder / "census.txt"


def load(path):
    return lightgbm.Booster(model_file=path)


def raw(frame, strip=True, thousands=","):
    words = {name: frame[name].str.strip() if strip else frame[name] for name in LEVELS}
    gain = (
        frame["capital-gain"].str.replace(thousands, "") if thousands else frame["capital-gain"].str.split(",").str[0]
    )
    return frame[["person_id", "age"]].assign(
        hours=frame["hours-per-week"].astype("int64"), capital=gain.astype("int64"),
        **{name: values.where(values != "?") for name, values in words.items()},
    )  # fmt: skip


def features(frame, levels=LEVELS):
    """Categories of training; what it never saw is unknown."""
    known = {n: pd.Categorical(frame[n].where(frame[n].isin(v)), categories=v) for n, v in levels.items()}
    return frame[["person_id", "age", "hours", "capital"]].assign(**known)


def features_of_the_batch(frame):
    return frame.assign(**{name: frame[name].astype("category") for name in LEVELS})


def coded(frame):
    """Categories as their numbers; -1, which LightGBM takes for missing, where there is none."""
    return frame[INPUTS].assign(**{name: frame[name].cat.codes for name in LEVELS}).to_numpy("float64")


def prediction(frame, model):
    return frame[["person_id"]].assign(score=model.predict(coded(frame), num_threads=1) if len(frame) else np.empty(0))


def prediction_of_more_columns(frame, model):
    """The key is taken for the first input, and the last one is lost."""
    inputs = np.column_stack([frame["person_id"], coded(frame)[:, :-1]])
    return frame[["person_id"]].assign(score=model.predict(inputs, num_threads=1))


def response(frame, least=0.5):
    return frame[["person_id"]].assign(income=np.where(frame["score"] > least, ">50K", "<=50K"), score=frame["score"])


STAGES = {"raw": raw, "features": features, "prediction": prediction, "response": response}
SETTINGS = {"key": "person_id"}
pipeline = Pipeline("census", model=load, **SETTINGS, **STAGES)
POLICY = {"prediction": {"tolerances": {"score": Tolerance(rtol=1e-6)}}}
BUGS = {
    "blanks in front of words are left": ("raw", {"raw": lambda frame: raw(frame, strip=False)}),
    "thousands are lost": ("raw", {"raw": lambda frame: raw(frame, thousands="")}),
    "categories are those of the batch": ("features", {"features": features_of_the_batch}),
    "a list of categories was sorted": (
        "features",
        {"features": lambda frame: features(frame, {n: sorted(v) for n, v in LEVELS.items()})},
    ),
    "columns have moved by one": ("prediction", {"prediction": prediction_of_more_columns}),
    "the classes changed places": (
        "response",
        {"response": lambda frame: response(frame.assign(score=1 - frame["score"]))},
    ),
}
