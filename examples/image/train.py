"""Train, log and register with MLflow, and capture what every stage returned: ``.venv/bin/python train.py``."""

import io

import mlflow
import numpy as np
import pandas as pd
import torch
from PIL import Image
from pipeline import network, pipeline, read
from sklearn.datasets import load_digits

from seatrial import capture


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray((pixels * 15).astype("uint8")).save(stream, "PNG")
    return stream.getvalue()


if __name__ == "__main__":
    images, digits = load_digits(return_X_y=True)
    ids = [f"d-{n}" for n in range(len(images))]
    pictures = pd.DataFrame({"image_id": ids, "png": [png(i) for i in images.reshape(-1, 8, 8)]})
    inputs = torch.tensor(np.stack(read(pictures)["pixels"]))
    torch.manual_seed(0)
    model, targets = network(), torch.tensor(digits)
    for _ in range(80):
        torch.nn.functional.cross_entropy(model(inputs[:1500]), targets[:1500]).backward()
        with torch.no_grad():
            for weights in model.parameters():
                weights.sub_(0.5 * weights.grad)
                weights.grad = None
    with mlflow.start_run() as run:
        logged = mlflow.pytorch.log_model(
            model.eval(), name="model", serialization_format="pickle", pip_requirements=["torch"]
        )
        capture(pipeline, pictures[1_700:], model=model, run_id=run.info.run_id)
    version = mlflow.register_model(logged.model_uri, pipeline.name)
    print(f"models:/{version.name}/{version.version}")
