"""From the shape of a building to the heat and the cold that it takes. Training and serving share these functions."""

import pandas as pd
import skops.io

from seatrial import Pipeline, Service, Stage

INPUTS = ["compactness", "glazing_share", "height_m", "faces_north"]
OUTPUTS = ["heating_kwh_m2", "cooling_kwh_m2"]


def build_features(buildings):
    walls, floor = buildings["wall_m2"], buildings["floor_m2"]
    return pd.DataFrame(
        {
            "building_id": buildings["building_id"].astype("string"),
            "compactness": floor * buildings["height_m"] / (walls + 2 * floor),
            "glazing_share": buildings["glass_m2"] / walls,
            "height_m": buildings["height_m"],
            "faces_north": (buildings["orientation"] == "N").astype("float64"),
        }
    )


def predict(frame, model):
    return model.predict(frame[INPUTS])  # an array: Stage(columns=…) names its columns, the key comes from the rows


def load_model(path):
    return skops.io.load(f"{path}/model.skops")


pipeline = Pipeline(
    "regression",
    key="building_id",
    features=build_features,
    prediction=Stage(predict, columns=OUTPUTS),
    model=load_model,
    service=Service(
        ["uvicorn", "service:app", "--port", "{port}"],
        env={"MODEL": "{model.path}"},
        envelope="instances",
    ),
)
