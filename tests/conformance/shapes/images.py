"""An image classifier in torch: the handwritten digits of UCI, a network with batch normalisation and dropout."""

import base64
import io

import numpy as np
import pandas as pd
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn

from seatrial import Pipeline, Tolerance

MEAN, SPREAD = 0.305, 0.376
torch.set_num_threads(1)


def _png(pixels):
    stream = io.BytesIO()
    Image.fromarray((pixels * 15).astype(np.uint8)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def _pictures(rows):
    digits = load_digits()
    return pd.DataFrame({"image_id": [f"d{n:04d}" for n in rows], "png": [_png(digits.images[n]) for n in rows]})


def requests(seed):
    return _pictures(np.random.default_rng(seed).choice(np.arange(900, 1_797), 150, replace=False))


def network():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(128, 10),
    )  # fmt: skip


def fit(folder):
    torch.manual_seed(0)
    inputs = torch.tensor(np.stack(list(features(raw(_pictures(range(900))))["pixels"])))[:, None]
    wanted, model = torch.tensor(load_digits().target[:900]), network()
    for step in range(40):  # by signs alone: torch.optim takes seconds to import
        nn.functional.cross_entropy(model(inputs), wanted).backward()
        with torch.no_grad():
            for weights in model.parameters():
                weights.sub_(0.02 * (1 - step / 40) * weights.grad.sign())
                weights.grad = None
    torch.save(model.state_dict(), folder / "digits.pt")
    return folder / "digits.pt"


def load(path):
    model = network()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()


def raw(frame):
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))) for png in frame["png"]]
    return frame[["image_id"]].assign(picture=pictures)


def features(frame, divisor=240.0, turned=False):
    """From 0 to 1, then as the network was trained: less the mean, by the spread."""
    pictures = [p.T if turned else p for p in frame["picture"]]
    scaled = [((p.astype(np.float32) / divisor - MEAN) / SPREAD).astype(np.float32) for p in pictures]
    return frame[["image_id"]].assign(pixels=scaled)


def prediction(frame, model):
    inputs = torch.tensor(np.array([*frame["pixels"]], dtype=np.float32).reshape(-1, 1, 8, 8))
    with torch.no_grad():
        probabilities = torch.softmax(model(inputs), dim=1).numpy()
    return frame[["image_id"]].assign(probabilities=list(probabilities))


def prediction_in_training_mode(frame, model):
    network = load_copy(model).train()
    torch.manual_seed(1)
    return prediction(frame, network)


def load_copy(model):
    other = network()
    other.load_state_dict(model.state_dict())
    return other


def response(frame, first=0):
    best = [int(np.argmax(p)) + first for p in frame["probabilities"]]
    sure = [round(float(np.max(p)), 3) for p in frame["probabilities"]]
    return frame[["image_id"]].assign(digit=best, confidence=sure)


def given(asked, model):
    """What training itself computed: features and probabilities of single pictures, one after the other."""
    seen = features(raw(asked))
    each = [prediction(seen.iloc[[n]], model) for n in range(len(seen))]
    return {"prediction": pd.concat(each, ignore_index=True)}


STAGES = {"raw": raw, "features": features, "prediction": prediction, "response": response}
SETTINGS = {"key": "image_id"}
pipeline = Pipeline("digits", model=load, **SETTINGS, **STAGES)
POLICY = {
    "prediction": {"tolerances": {"probabilities": Tolerance(rtol=1e-4, atol=1e-6)}},
    "response": {"tolerances": {"confidence": Tolerance(atol=0.0011)}},
}
BUGS = {
    "pictures are divided by 255, and not by the largest grey": (
        "features",
        {"features": lambda frame: features(frame, 255.0)},
    ),
    "rows and columns are swapped": ("features", {"features": lambda frame: features(frame, turned=True)}),
    "the network is left in training mode": ("prediction", {"prediction": prediction_in_training_mode}),
    "classes are counted from 1": ("response", {"response": lambda frame: response(frame, first=1)}),
}
