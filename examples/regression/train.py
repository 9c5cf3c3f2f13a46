"""Train, log and register with MLflow, and capture what every stage returned: ``python train.py``."""

import mlflow
import numpy as np
import pandas as pd
from pipeline import INPUTS, OUTPUTS, build_features, pipeline
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from seatrial import capture


def make_buildings(rows, seed):
    """Return buildings as the service is asked about them, and what was measured in each."""
    rng = np.random.default_rng(seed)
    floor, height = rng.uniform(40, 400, rows).round(1), rng.choice([2.6, 3.5, 5.2, 7.0], rows)
    wall = (4.2 * np.sqrt(floor) * height).round(1)
    buildings = pd.DataFrame(
        {
            "building_id": [f"b-{seed}-{n}" for n in range(rows)],
            "floor_m2": floor,
            "wall_m2": wall,
            "height_m": height,
            "glass_m2": (wall * rng.choice([0.1, 0.25, 0.4], rows)).round(1),
            "orientation": rng.choice(["N", "E", "S", "W"], rows),
        }
    )
    known = build_features(buildings)
    heating = 90 - 25 * known["compactness"] + 60 * known["glazing_share"] + 8 * known["faces_north"]
    cooling = 12 + 70 * known["glazing_share"] * (1 - known["faces_north"] / 2) + known["height_m"]
    noise = rng.normal(0, 2, (rows, 2))
    return buildings, pd.DataFrame(np.column_stack([heating, cooling]) + noise, columns=OUTPUTS)


if __name__ == "__main__":
    buildings, measured = make_buildings(2_000, seed=1)
    model = make_pipeline(StandardScaler(), PolynomialFeatures(2), LinearRegression())
    model.fit(build_features(buildings)[INPUTS], measured)
    held_out, outcomes = make_buildings(200, seed=2)
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn", "skops"])
        labels = held_out[["building_id"]].join(outcomes)
        capture(pipeline, held_out, model=model, labels=labels, run_id=run.info.run_id)
    version = mlflow.register_model(logged.model_uri, pipeline.name)
    print(f"models:/{version.name}/{version.version}")
