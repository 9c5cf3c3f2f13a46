"""XGBoost with missing values: who survived, where age, cabin and fare may be unknown."""

import numpy as np
import pandas as pd
import xgboost

from seatrial import Pipeline, Quality, Tolerance

INPUTS = ["sex", "age", "fare", "siblings", "deck", "age_by_class", "alone"]


def _passengers(seed):
    rng = np.random.default_rng(seed)
    count = 250
    sex, pclass = rng.choice(["male", "female"], count, p=[0.6, 0.4]), rng.integers(1, 4, count)
    age = np.where(rng.random(count) < 0.2, np.nan, rng.gamma(9, 3.3, count).round(1))
    fare = (rng.lognormal(3, 0.7, count) * 2 / pclass).round(4)
    survived = (sex == "female") * 1.6 + (pclass == 1) * 0.9 - np.nan_to_num(age) / 60 + rng.normal(0, 0.5, count) > 0.6
    rows = pd.DataFrame(
        {
            "passenger_id": np.arange(seed * 1_000, seed * 1_000 + count),
            "sex": sex,
            "pclass": pclass,
            "age": pd.array(age, dtype="Float64"),
            "fare": np.where(rng.random(count) < 0.03, np.nan, fare),
            "sibsp": rng.integers(0, 4, count),
            "cabin": np.where(
                rng.random(count) < 0.7,
                None,
                [f"{d}{n}" for d, n in zip(rng.choice(list("ABCDE"), count), range(count), strict=True)],
            ),
        }
    )
    return rows, survived.astype("int64")


def requests(seed):
    return _passengers(seed)[0]


def labels(asked):
    return asked[["passenger_id"]].assign(survived=_passengers(int(asked["passenger_id"].iloc[0]) // 1_000)[1])


def fit(folder):
    rows, survived = _passengers(900)
    model = xgboost.XGBClassifier(n_estimators=30, max_depth=3, n_jobs=1, random_state=0)
    model.fit(features(raw(rows))[INPUTS], survived)
    model.save_model(folder / "titanic.json")
    return folder / "titanic.json"


def load(path):
    model = xgboost.Booster({"nthread": 1})
    model.load_model(path)
    return model


def raw(frame):
    deck = frame["cabin"].str[0].map({d: float(n) for n, d in enumerate("ABCDE")})
    return frame[["passenger_id", "pclass", "fare"]].assign(
        sex=frame["sex"], age=frame["age"].astype("Float64"), deck=deck, siblings=frame["sibsp"]
    )


def features(frame, unknown=np.nan, woman=1):
    """What is unknown stays so: the trees have learned where it goes."""
    age = frame["age"].astype("float64")
    built = pd.DataFrame(
        {
            "passenger_id": frame["passenger_id"],
            "sex": np.where(frame["sex"] == "female", woman, 1 - woman),
            "age": age,
            "fare": frame["fare"],
            "siblings": frame["siblings"],
            "deck": frame["deck"],
            "age_by_class": age * frame["pclass"],
            "alone": frame["siblings"] == 0,
        }
    )
    return (
        built.fillna(dict.fromkeys(("age", "fare", "deck", "age_by_class"), unknown)) if unknown == unknown else built
    )


def prediction(frame, model, order=INPUTS, missing=np.nan):
    matrix = xgboost.DMatrix(frame[order].to_numpy("float32"), feature_names=INPUTS, missing=missing, nthread=1)
    return frame[["passenger_id"]].assign(score=model.predict(matrix))


def response(frame, digits=3):
    return frame[["passenger_id"]].assign(
        survived=frame["score"] > 0.5, percent=(100 * frame["score"].astype("float64")).round(digits)
    )


STAGES = {"raw": raw, "features": features, "prediction": prediction, "response": response}
SETTINGS = {"key": "passenger_id"}
pipeline = Pipeline("titanic", model=load, **SETTINGS, **STAGES)
POLICY = {
    "prediction": {
        "tolerances": {"score": Tolerance(rtol=1e-5)},
        "quality": Quality("survived", score="score", limits={"roc_auc": 0.7}),
    },
    "response": {"tolerances": {"percent": Tolerance(atol=0.0011)}},
}
BUGS = {
    "what is unknown is 0": ("features", {"features": lambda frame: features(frame, unknown=0.0)}),
    "columns come in the order of the alphabet": (
        "prediction",
        {"prediction": lambda frame, model: prediction(frame, model, sorted(INPUTS))},
    ),
    "0 counts as missing": ("prediction", {"prediction": lambda frame, model: prediction(frame, model, missing=0.0)}),
    "percent are a share": ("response", {"response": lambda frame: response(frame.assign(score=frame["score"] / 100))}),
    "what is unknown is -999": ("features", {"features": lambda frame: features(frame, unknown=-999.0)}),
    "the code of a sex is turned round": ("features", {"features": lambda frame: features(frame, woman=0)}),
}
