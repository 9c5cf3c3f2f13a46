"""Train, register and capture, as a training job does: ``python train.py FOLDER``; with MLflow where it is set."""

import os
import sys

import churn

from seatrial import Reference, capture


def captured(**where):
    """Return the reference of a model trained now."""
    return capture(churn.pipeline, churn.requests(), model=churn.trained(), **where)


def main(folder):
    """Capture into ``folder``, twice the same, and beside the model where there is a server."""
    reference = captured()
    again = captured().digest
    reference.save(folder)
    if again != reference.digest or Reference.load(folder).digest != again:
        sys.exit("two captures of one thing differ")
    if "MLFLOW_TRACKING_URI" in os.environ:
        import mlflow

        with mlflow.start_run() as run:
            needs = ["scikit-learn"]  # MLflow would look for them in a process of its own
            mlflow.sklearn.log_model(churn.trained(), "model", registered_model_name="churn", pip_requirements=needs)
            captured(run_id=run.info.run_id)


if __name__ == "__main__":
    main(sys.argv[1])
