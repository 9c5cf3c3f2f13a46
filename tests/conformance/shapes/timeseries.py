"""Time series of many meters: the hours of the last three days of each, and what it will use tomorrow."""

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from seatrial import Pipeline, Stage, Tolerance

HOURS, ZONE = 72, "Europe/Berlin"
INPUTS = ["kwh", "mean_day", "spread_day", "yesterday", "hour_sin", "hour_cos", "weekend"]
KEY = ("meter_id", "at")


def _series(seed, meters):
    rng = np.random.default_rng(seed)
    rows = []
    for meter in range(meters):
        start = pd.Timestamp("2025-03-28T00:00Z") + pd.Timedelta(hours=int(rng.integers(0, 48)))  # summer time begins
        at = pd.date_range(start, periods=HOURS + 24, freq="h")
        daily = 1 + 0.5 * np.sin((at.tz_convert(ZONE).hour.to_numpy() - 7) / 24 * 2 * np.pi)
        kwh = rng.gamma(2, 10) * daily * rng.lognormal(0, 0.1, len(at))
        rows.append(pd.DataFrame({"meter_id": f"m{seed}-{meter}", "at": at, "kwh": kwh.round(3)}))
    return rows


def requests(seed):
    """Hours arrive in any order, and some are missing."""
    rng = np.random.default_rng(seed)
    rows = pd.concat([one.head(HOURS).iloc[rng.permutation(HOURS)[rng.integers(0, 4) :]] for one in _series(seed, 25)])
    return rows.assign(at=rows["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"), kwh=rows["kwh"].astype(str)).reset_index(
        drop=True
    )


def fit(folder):
    whole = _series(900, 60)
    known = features(hourly(pd.concat([one.head(HOURS) for one in whole]))).groupby("meter_id", sort=False).tail(1)
    wanted = np.array([np.log(one["kwh"].tail(24)) for one in whole])
    joblib.dump(Ridge().fit(known[INPUTS], wanted), folder / "ridge.joblib")
    return folder / "ridge.joblib"


def raw(frame):
    return frame.assign(at=pd.to_datetime(frame["at"], utc=True), kwh=frame["kwh"].astype("float64"))


def hourly(frame, fill="interpolate"):
    """Each hour of a meter in its order; one that is missing lies between its neighbours."""
    found = []
    for meter, rows in frame.groupby("meter_id", sort=False):
        kwh = rows.set_index("at")["kwh"].sort_index().resample("h").mean()
        filled = kwh.interpolate() if fill == "interpolate" else kwh.fillna(0.0)
        found.append(filled.reset_index().assign(meter_id=meter, missing=kwh.isna().to_numpy()))
    return pd.concat(found, ignore_index=True)[["meter_id", "at", "kwh", "missing"]]


def features(frame, zone=ZONE, lag=24, apart=True):
    """Means and spread of a day, the same hour of the day before, and the hour on the wall."""
    by = frame.groupby("meter_id")["kwh"] if apart else frame["kwh"]
    day = by.rolling(24, min_periods=1)
    mean, spread = (m.reset_index(level=0, drop=True) if apart else m for m in (day.mean(), day.std()))
    local = frame["at"].dt.tz_convert(zone)
    return frame[["meter_id", "at", "kwh"]].assign(
        mean_day=mean, spread_day=spread.fillna(0.0), yesterday=by.shift(lag).fillna(mean),
        hour_sin=np.sin(local.dt.hour / 24 * 2 * np.pi), hour_cos=np.cos(local.dt.hour / 24 * 2 * np.pi),
        weekend=local.dt.dayofweek >= 5,
    )  # fmt: skip


def forecast(frame, model, which="last"):
    rows = frame.sort_values("at").groupby("meter_id", sort=False)
    last = (rows.tail(1) if which == "last" else rows.head(1)).reset_index(drop=True)
    return last[["meter_id"]].assign(log_kwh=list(model.predict(last[INPUTS])), after=last["at"])


def response(frame, back=np.exp):
    kwh = [back(np.asarray(row)).round(3) for row in frame["log_kwh"]]
    return frame[["meter_id"]].assign(
        kwh=[row.tolist() for row in kwh],
        total=[float(row.sum()) for row in kwh],
        peak=[int(np.argmax(k)) for k in kwh],
    )


def given(asked, model):
    """The features of the warehouse, which has them from SQL-like windows over whole series."""
    rows = hourly(raw(asked)).sort_values([*KEY], ignore_index=True)
    windows = []
    for _, one in rows.groupby("meter_id"):
        kwh = one["kwh"].to_numpy()
        days = [kwh[max(0, n - 23) : n + 1] for n in range(len(kwh))]
        mean = np.array([d.mean() for d in days])
        wall = one["at"].dt.tz_convert(ZONE)
        windows.append(
            one[["meter_id", "at", "kwh"]].assign(
                mean_day=mean, spread_day=[d.std(ddof=1) if len(d) > 1 else 0.0 for d in days],
                yesterday=np.where(np.arange(len(kwh)) < 24, mean, np.roll(kwh, 24)),
                hour_sin=np.sin(np.pi * wall.dt.hour / 12), hour_cos=np.cos(np.pi * wall.dt.hour / 12),
                weekend=wall.dt.day_name().isin(["Saturday", "Sunday"]),
            )
        )  # fmt: skip
    return {"features": pd.concat(windows, ignore_index=True)}


STAGES = {
    "raw": Stage(raw, key=KEY),
    "hourly": Stage(hourly, key=KEY),
    "features": Stage(features, key=KEY),
    "forecast": forecast,
    "response": response,
}
SETTINGS = {"key": "meter_id"}
pipeline = Pipeline("meters", model=joblib.load, **SETTINGS, **STAGES)
POLICY = {
    "features": {"tolerances": {"*_day": Tolerance(rtol=1e-6), "hour_*": Tolerance(atol=1e-9)}},
    "response": {"tolerances": {"kwh": Tolerance(atol=0.0011), "total": Tolerance(atol=0.03)}},
}
BUGS = {
    "a missing hour counts as no use": ("hourly", {"hourly": lambda frame: hourly(frame, fill="zero")}),
    "the window runs on into the next meter": ("features", {"features": lambda frame: features(frame, apart=False)}),
    "the hour is that of UTC": ("features", {"features": lambda frame: features(frame, zone="UTC")}),
    "yesterday is one hour too near": ("features", {"features": lambda frame: features(frame, lag=23)}),
    "the forecast starts at the first hour": (
        "forecast",
        {"forecast": lambda frame, model: forecast(frame, model, "first")},
    ),
    "logarithms go out": ("response", {"response": lambda frame: response(frame, back=np.asarray)}),
}
