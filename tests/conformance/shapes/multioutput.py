"""Regression of several outputs: three gases of the air from cheap sensors; three stages return arrays."""

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.preprocessing import StandardScaler

from seatrial import Pipeline, Stage, Tolerance

SENSORS, GASES = ["pt08_s1", "pt08_s2", "pt08_s3", "temperature", "humidity", "hour"], ["co", "nox", "no2"]
UNKNOWN = -200  # what the station writes where it has no value


def requests(seed):
    rng = np.random.default_rng(seed)
    count = 200
    traffic = rng.gamma(2, 1, count)
    rows = pd.DataFrame(
        {
            "reading_id": [f"{seed}-{n}" for n in range(count)],
            "pt08_s1": (900 + 120 * traffic + rng.normal(0, 30, count)).round(0),
            "pt08_s2": (700 + 180 * traffic + rng.normal(0, 40, count)).round(0),
            "pt08_s3": (1_100 - 90 * traffic + rng.normal(0, 30, count)).round(0),
            "temperature": rng.normal(18, 8, count).round(1),
            "humidity": rng.uniform(15, 90, count).round(1),
            "at": pd.Timestamp("2024-03-10") + pd.to_timedelta(rng.integers(0, 9_000, count), unit="h"),
        }
    )
    for name in ("pt08_s3", "temperature", "humidity"):
        rows.loc[rng.random(count) < 0.05, name] = UNKNOWN
    # as the station writes them: decimal commas
    text = {n: rows[n].map(lambda v: f"{v:.1f}".replace(".", ",")) for n in SENSORS[:-1]}
    return rows.assign(**text, at=rows["at"].dt.strftime("%d/%m/%Y %H.%M.%S"))


def _measured(frame):
    rng = np.random.default_rng(5)
    traffic = (frame["pt08_s2"].to_numpy() - 700) / 180
    gases = np.column_stack([0.8 * traffic, 90 * traffic, 60 + 25 * traffic]) * rng.lognormal(0, 0.1, (len(frame), 3))
    return np.clip(gases, 0.05, None)


def fit(folder):
    rows = raw(requests(900))
    medians = rows[SENSORS].median()
    scaler = StandardScaler().fit(rows[SENSORS].fillna(medians).to_numpy())
    model = {"medians": medians, "scaler": scaler}
    trees = TransformedTargetRegressor(
        ExtraTreesRegressor(20, max_depth=8, random_state=0, n_jobs=1), func=np.log1p, inverse_func=np.expm1
    )
    joblib.dump({**model, "trees": trees.fit(features(rows, model), _measured(rows))}, folder / "air.joblib")
    return folder / "air.joblib"


def raw(frame, dayfirst=True):
    numbers = {n: frame[n].str.replace(",", ".").astype("float64") for n in SENSORS[:-1]}
    rows = frame[["reading_id"]].assign(**{n: v.where(v != UNKNOWN) for n, v in numbers.items()})
    at = pd.to_datetime(frame["at"], format="%d/%m/%Y %H.%M.%S" if dayfirst else "mixed")
    return rows.assign(hour=at.dt.hour.astype("float64"), month=at.dt.month.astype("int64"))


def raw_with_sentinels(frame):
    rows = raw(frame)
    return rows.assign(**{n: rows[n].fillna(UNKNOWN) for n in SENSORS})


def features(frame, model):
    return model["scaler"].transform(frame[SENSORS].fillna(model["medians"]).to_numpy())


def features_scaled_anew(frame, model):
    return StandardScaler().fit_transform(frame[SENSORS].fillna(model["medians"]).to_numpy())


def prediction(array, model):
    return model["trees"].predict(array)


def response(array):
    """CO in mg to two digits, the others in whole µg; and the worst of three classes, 0 (good) to 2 (poor)."""
    limits = ((1, 4), (100, 300), (90, 150))
    level = np.max([np.digitize(array[:, n], limit) for n, limit in enumerate(limits)], axis=0)
    return np.column_stack([array[:, 0].round(2), array[:, 1:].round(0), level])


STAGES = {
    "raw": raw,
    "features": Stage(features, columns=SENSORS),
    "prediction": Stage(prediction, columns=GASES),
    "response": Stage(response, columns=[*GASES, "level"]),
}
SETTINGS = {"key": "reading_id"}
pipeline = Pipeline("air", model=joblib.load, **SETTINGS, **STAGES)
POLICY = {"prediction": {"tolerances": {"*": Tolerance(rtol=1e-6)}}}
BUGS = {
    "what the station does not know is taken for a value": ("raw", {"raw": raw_with_sentinels}),
    "the scaler learns from the batch": ("features", {"features": Stage(features_scaled_anew, columns=SENSORS)}),
    "two gases are swapped": (
        "prediction",
        {"prediction": Stage(lambda array, model: prediction(array, model)[:, [0, 2, 1]], columns=GASES)},
    ),
    "logarithms go out": (
        "prediction",
        {"prediction": Stage(lambda array, model: model["trees"].regressor_.predict(array), columns=GASES)},
    ),
    "CO is in micrograms": ("response", {"response": lambda array: response(array * [1_000, 1, 1])}),
}
