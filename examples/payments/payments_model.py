"""The fraud model: what it reads, how it is fitted, stored and loaded. Training and serving share this file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MODEL_INPUTS = [
    "amount_eur", "log_amount", "amount_ratio", "hour", "abroad", "region", "device", "merchant_category",
    "card_present", "known_customer", "account_age_days", "payments_30d", "chargebacks",
]  # fmt: skip
KEPT_LEGITIMATE = 0.25  # the share of legitimate payments that training keeps; of fraud it keeps all
TRUSTED = [  # the types that skops must be allowed to load
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.tree._tree.Tree",
]


def fit(features: pd.DataFrame, is_fraud: pd.Series, seed: int = 0) -> Any:
    """Return the fitted model: all fraud, a share of the legitimate payments, encoded, boosted, calibrated."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    kept = is_fraud | (np.random.default_rng(seed).random(len(features)) < KEPT_LEGITIMATE)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer(
        (encoder, ["region", "device", "merchant_category"]),
        (SimpleImputer(strategy="median"), ["amount_ratio", "account_age_days"]),
        remainder="passthrough",
    )
    boosting = GradientBoostingClassifier(n_estimators=80, max_depth=3, subsample=0.8, random_state=seed)
    model = make_pipeline(columns, CalibratedClassifierCV(boosting, method="sigmoid", cv=3, ensemble=False))
    return model.fit(features.loc[kept, MODEL_INPUTS], is_fraud[kept])


def log_model(model: Any, inputs: pd.DataFrame) -> str:
    """Log the model with its signature and an example; return its URI."""
    import mlflow.sklearn
    import sklearn
    import skops

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Hint: Inferred schema contains integer")  # these are never null
        signature = mlflow.models.infer_signature(inputs, model.predict_proba(inputs))
    logged = mlflow.sklearn.log_model(
        model,
        name="model",
        signature=signature,
        input_example=inputs.head(5),
        pip_requirements=[f"scikit-learn=={sklearn.__version__}", f"skops=={skops.__version__}"],
        pyfunc_predict_fn="predict_proba",
        skops_trusted_types=TRUSTED,
    )
    return str(logged.model_uri)


def load_model(path: str) -> Any:
    """Return the model in a local directory; without MLflow, which takes a service as long to import as the rest."""
    import skops.io

    return skops.io.load(Path(path) / "model.skops", trusted=TRUSTED)
