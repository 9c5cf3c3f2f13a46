"""Detection: a network finds squares in pictures of any size, as lists of boxes; those that overlap are suppressed."""

import io

import numpy as np
import pandas as pd
import torch
from PIL import Image
from scipy import ndimage
from torch import nn

from seatrial import Json, Pipeline, Tolerance

SIDE, LABELS = 32, ("red", "blue")
torch.set_num_threads(1)


def _drawn(rng, width, height):
    """A picture with one to three squares, as PNG; and its mask of classes."""
    pixels = rng.integers(90, 130, (height, width, 3))
    mask = np.zeros((2, height, width), dtype=np.float32)
    for _ in range(rng.integers(1, 4)):
        side, which = int(rng.integers(8, 16)), int(rng.integers(0, 2))
        x, y = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
        pixels[y : y + side, x : x + side] = [(220, 40, 50), (40, 60, 220)][which]
        mask[:, y : y + side, x : x + side] = 0
        mask[which, y : y + side, x : x + side] = 1
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue(), mask


def requests(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.choice([32, 48, 64], (100, 2))
    return pd.DataFrame(
        {"image_id": [f"{seed}-{n:03d}" for n in range(100)], "png": [_drawn(rng, *map(int, s))[0] for s in sizes]}
    )


def network():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 3, padding=1))


def fit(folder):
    torch.manual_seed(0)
    rng = np.random.default_rng(900)
    drawn = [_drawn(rng, SIDE, SIDE) for _ in range(40)]
    pictures = raw(pd.DataFrame({"image_id": range(40), "png": [png for png, _ in drawn]}))
    inputs = torch.tensor(np.stack(list(tensor(pictures)["tensor"])))
    masks, model = torch.tensor(np.stack([mask for _, mask in drawn])), network()
    for step in range(60):  # by signs alone: torch.optim takes seconds to import
        nn.functional.binary_cross_entropy_with_logits(model(inputs), masks).backward()
        with torch.no_grad():
            for weights in model.parameters():
                weights.sub_(0.02 * (1 - step / 60) * weights.grad.sign())
                weights.grad = None
    torch.save(model.state_dict(), folder / "detector.pt")
    return folder / "detector.pt"


def load(path):
    model = network()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()


def raw(frame, channels=slice(None)):
    pictures = [np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))[:, :, channels] for png in frame["png"]]
    return frame[["image_id"]].assign(picture=pictures)


def tensor(frame, divisor=255.0):
    """Each picture in the size of the network, channels first, from 0 to 1; with the size that it had."""
    sized = [
        Image.fromarray(np.ascontiguousarray(p)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        for p in frame["picture"]
    ]
    return frame[["image_id"]].assign(
        tensor=[np.asarray(p, dtype=np.float32).transpose(2, 0, 1) / np.float32(divisor) for p in sized],
        width=[p.shape[1] for p in frame["picture"]],
        height=[p.shape[0] for p in frame["picture"]],
    )


def boxes(frame, model):
    """Each connected area where a class is likelier than not, as x, y, x, y."""
    found = []
    for picture in frame["tensor"]:
        with torch.no_grad():
            heat = torch.sigmoid(model(torch.tensor(np.array(picture))[None]))[0].numpy()
        found.append(
            [
                {
                    "label": LABELS[which],
                    "score": float(heat[which][area].max()),
                    "box": [float(v) for v in (area[1].start, area[0].start, area[1].stop, area[0].stop)],
                }
                for which in range(2)
                for area in ndimage.find_objects(ndimage.label(heat[which] > 0.5)[0])
            ]
        )
    return frame[["image_id", "width", "height"]].assign(boxes=found)


def _overlap(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - width * height
    return width * height / area


def suppress(frame, least=0.1):
    """The boxes by their score, without those that overlap a better one."""
    kept = []
    for found in frame["boxes"]:
        best = []
        for box in sorted(found, key=lambda b: (-b["score"], b["box"])):
            if all(_overlap(box["box"], other["box"]) < least for other in best):
                best.append(box)
        kept.append(best)
    return frame.assign(boxes=kept)


def response(frame, rescale=True):
    """In pixels of the picture as it came."""
    scaled = [
        [
            {**b, "box": [v * (s / SIDE if rescale else 1) for v, s in zip(b["box"], (w, h, w, h), strict=True)]}
            for b in found
        ]
        for found, w, h in zip(frame["boxes"], frame["width"], frame["height"], strict=True)
    ]
    return frame[["image_id"]].assign(boxes=scaled, count=[len(found) for found in scaled])


STAGES = {"raw": raw, "tensor": tensor, "boxes": boxes, "suppress": suppress, "response": response}
SETTINGS = {"key": "image_id"}
pipeline = Pipeline("squares", model=load, **SETTINGS, **STAGES)
NEAR = Json({"$[*].score": Tolerance(atol=1e-4), "$[*].box": Tolerance(atol=0.01)})
POLICY = {name: {"tolerances": {"boxes": NEAR}} for name in ("boxes", "suppress", "response")}
BUGS = {
    "blue and red are swapped when the picture is read": (
        "raw",
        {"raw": lambda frame: raw(frame, slice(None, None, -1))},
    ),
    "pictures are not scaled to 0 to 1": ("tensor", {"tensor": lambda frame: tensor(frame, divisor=1.0)}),
    "boxes that overlap are kept": ("suppress", {"suppress": lambda frame: suppress(frame, least=1.1)}),
    "boxes are in pixels of the network": ("response", {"response": lambda frame: response(frame, rescale=False)}),
}
