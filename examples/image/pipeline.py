"""From a picture to the digit on it. Training and serving share these functions; they need torch and Pillow."""

import io

import numpy as np
import torch
from PIL import Image
from torch import nn

from seatrial import HttpRequest, Pipeline, Service

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
torch.set_num_threads(1)


def network():
    return nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 6 * 6, len(DIGITS)))


def load_model(path):
    return torch.load(f"{path}/data/model.pth", weights_only=False).eval()


def read(frame):
    """Return each picture as an array of 1 × 8 × 8 numbers from 0 to 1."""
    pictures = [Image.open(io.BytesIO(png)).convert("L").resize((8, 8)) for png in frame["png"]]
    return frame[["image_id"]].assign(pixels=[np.asarray(p, dtype="float32")[None] / 255 for p in pictures])


def classify(frame, model):
    with torch.no_grad():
        inputs = torch.tensor(np.array(frame["pixels"].tolist(), dtype="float32").reshape(-1, 1, 8, 8))
        chances = model(inputs).softmax(1).numpy()
    return frame[["image_id"]].assign(chances=list(chances))


def respond(frame):
    best = [int(np.argmax(chances)) for chances in frame["chances"]]
    confidence = [round(float(max(chances)), 3) for chances in frame["chances"]]
    return frame[["image_id"]].assign(digit=[DIGITS[n] for n in best], confidence=confidence)


def upload(rows):
    return HttpRequest(rows["png"].iloc[0], "image/png", path=f"/predict?image_id={rows['image_id'].iloc[0]}")


pipeline = Pipeline(
    "image",
    key="image_id",
    raw=read,
    prediction=classify,
    response=respond,
    model=load_model,
    service=Service(
        ["python", "-m", "uvicorn", "service:app", "--port", "{port}"],
        env={"MODEL": "{model.path}"},
        request=upload,
        response=lambda answer: answer.json(),
    ),
)
