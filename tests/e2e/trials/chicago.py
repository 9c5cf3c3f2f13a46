"""Taxi trips in Chicago, as the city publishes them: will the passenger tip more than a fifth of the fare?

Every field arrives as text, gaps as empty text. The timestamps are the wall clock of Chicago written as if it were UTC.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from seatrial import Pipeline, Policy, Quality, StagePolicy, Tolerance

NUMBERS = ["fare", "trip_miles", "trip_seconds", "trip_start_timestamp"]
COORDINATES = ["pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude"]
AREAS = ["pickup_community_area", "dropoff_community_area"]
WORDS = ["payment_type", "company"]
FIELDS = [*NUMBERS, *COORDINATES, *AREAS, *WORDS]
ANSWERED_LATER = ["tips", "trip_start_hour", "trip_start_day"]  # the warehouse knows these, a request does not
INPUTS = ["fare", "trip_miles", "trip_minutes", "distance_km", "hour", "weekday", "company", "payment_type"]
EARTH_KM = 6371.0088
LIKELY = 0.5

NEAR = {"features": StagePolicy({"distance_km": Tolerance(rtol=1e-7)})}  # asin and atan2 part in the last digits
WORTH = {"prediction": StagePolicy(quality=Quality("tipped", "score", {"roc_auc": 0.8}, slices=["company"]))}
policy, unlabelled = Policy({**NEAR, **WORTH}), Policy(NEAR)


def read(path) -> pd.DataFrame:
    """The file as it is, every field text, with a key of its own."""
    frame = pd.read_csv(path, dtype="string", keep_default_na=False)
    return frame.assign(trip_id=[f"c-{n:05d}" for n in range(len(frame))]).astype({"trip_id": "string"})


def requests(trips: pd.DataFrame) -> pd.DataFrame:
    return trips[["trip_id", *FIELDS]].reset_index(drop=True)


def labels(trips: pd.DataFrame) -> pd.DataFrame:
    tipped = trips["tips"].astype("float64") > 0.2 * trips["fare"].astype("float64")
    return pd.DataFrame({"trip_id": trips["trip_id"], "tipped": tipped.astype("bool")}).reset_index(drop=True)


def parse(frame: pd.DataFrame) -> pd.DataFrame:
    """Raw: text to numbers, gaps to nulls; areas are names that happen to be numbers."""
    numbers = {name: pd.to_numeric(frame[name].where(frame[name] != "")) for name in [*NUMBERS, *COORDINATES]}
    parsed = frame.assign(**{name: values.astype("float64") for name, values in numbers.items()})
    stamps = parsed.pop("trip_start_timestamp").to_numpy("float64").astype("int64")
    parsed["started"] = pd.Series(stamps.astype("datetime64[s]"), index=frame.index)
    words = {name: frame[name].where(frame[name] != "").astype("string") for name in [*AREAS, *WORDS]}
    return parsed.assign(**words)


def kilometres(frame: pd.DataFrame) -> pd.Series:
    """The great-circle distance (haversine) between the ends of a trip; null where an end is unknown."""
    lat1, lon1, lat2, lon2 = (np.radians(frame[name]) for name in COORDINATES)
    h = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * np.arcsin(np.sqrt(h))


def build(frame: pd.DataFrame) -> pd.DataFrame:
    """Features: time of day, distance, and who drove; a trip without a company is driven by an unknown one."""
    return pd.DataFrame(
        {
            "trip_id": frame["trip_id"],
            "fare": frame["fare"],
            "trip_miles": frame["trip_miles"],
            "trip_minutes": frame["trip_seconds"] / 60,
            "distance_km": kilometres(frame),
            "hour": frame["started"].dt.hour.astype("int64"),
            "weekday": (frame["started"].dt.dayofweek + 1) % 7 + 1,  # as the city counts: Sunday is 1
            "company": frame["company"].fillna("unknown"),
            "payment_type": frame["payment_type"],
        }
    ).astype({"weekday": "int64"})


def training_features(trips: pd.DataFrame) -> pd.DataFrame:
    """The features as the warehouse makes them: all trips at once, hour and day from its own columns."""
    number = trips[[*NUMBERS, *COORDINATES]].apply(pd.to_numeric, errors="coerce").astype("float64")
    a, b = (np.radians(number[[f"{end}_latitude", f"{end}_longitude"]].to_numpy()) for end in ("pickup", "dropoff"))
    half = np.sin((b - a) / 2) ** 2
    h = half[:, 0] + np.cos(a[:, 0]) * np.cos(b[:, 0]) * half[:, 1]
    return pd.DataFrame(
        {
            "trip_id": trips["trip_id"],
            "fare": number["fare"],
            "trip_miles": number["trip_miles"],
            "trip_minutes": number["trip_seconds"] / 60,
            "distance_km": 2 * EARTH_KM * np.arctan2(np.sqrt(h), np.sqrt(1 - h)),
            "hour": trips["trip_start_hour"].astype("int64"),
            "weekday": trips["trip_start_day"].astype("int64"),
            "company": trips["company"].replace("", "unknown"),
            "payment_type": trips["payment_type"],
        }
    )


def fit(features: pd.DataFrame, tipped: pd.Series) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    columns = make_column_transformer(
        (OneHotEncoder(min_frequency=50, handle_unknown="infrequent_if_exist"), ["company", "payment_type"]),
        (SimpleImputer(strategy="median"), ["trip_minutes", "distance_km"]),
        remainder="passthrough",
    )
    boosting = GradientBoostingClassifier(n_estimators=40, subsample=0.8, random_state=0)
    return make_pipeline(columns, boosting).fit(features[INPUTS], tipped)


def predict(frame: pd.DataFrame, model: Any) -> pd.DataFrame:
    score = model.predict_proba(frame[INPUTS])[:, 1] if len(frame) else np.empty(0)
    return frame[["trip_id", "fare", "company"]].assign(score=score)


def decide(frame: pd.DataFrame) -> pd.DataFrame:
    """Postprocess: will there be a tip, and what would it come to (a quarter of the fare, in cents)."""
    likely = frame["score"] >= LIKELY
    return frame.assign(likely=likely, tip=(frame["fare"] * likely / 4).round(2))


def respond(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["trip_id", "likely", "tip"]].assign(score=frame["score"].round(3))


STAGES = {"raw": parse, "features": build, "prediction": predict, "postprocess": decide, "response": respond}


def make(**changed: Any) -> Pipeline:
    """The pipeline, with other stages in the place of some."""
    return Pipeline("tips", key="trip_id", model=lambda path: path, **{**STAGES, **changed})


pipeline = make()
