"""A small shop in a project of its own: small enough for a mutation test in a few seconds."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from seatrial import Policy, capture
from seatrial.project import Project

SETTINGS = '[tool.seatrial]\npipeline = "shop/pipeline.py:pipeline"\n'
PRICES = '''"""What things cost."""

from __future__ import annotations

RATE: float = 1.5
UNUSED = 7


def cents(amounts: object) -> object:
    """In cents."""
    return (amounts * 100).round()


class Till:
    def __init__(self, url: str) -> None:
        self.url = url + "?x=1"

    def names(self, ids):
        return {i: f"n{i}" for i in ids}
'''
PIPELINE = '''"""A shop."""

from __future__ import annotations

import prices
from prices import RATE, cents

from seatrial import Dependency, Pipeline

LIMIT = 40
EXTRA = {"a": 1, "b": 2}


def parse(requests):
    """Typed rows."""
    return requests.assign(amount=requests["amount"].astype("float64"))


def price(frame, till: prices.Till):
    names = till.names(frame["branch"])
    charged = frame["amount"].where(frame["amount"] >= 0, 0)
    total = cents(charged) * RATE
    return frame[["id"]].assign(total=total, name=frame["branch"].map(names), many=frame["amount"] > LIMIT)


def respond(frame):
    return frame.assign(total=frame["total"].round(1))


pipeline = Pipeline(
    "shop", key="id", raw=parse, priced=price, response=respond,
    dependencies=[Dependency("till", url="till://here", connect=prices.Till)],
)
'''


def make(root: Path) -> SimpleNamespace:
    """Write the project and capture its reference of 60 requests, none with an amount below 0."""
    folder = root / "shop"
    folder.mkdir(parents=True)
    (root / "pyproject.toml").write_text(SETTINGS)
    (folder / "prices.py").write_text(PRICES)
    (folder / "pipeline.py").write_text(PIPELINE)
    sys.modules.pop("prices", None)  # of another shop in this process
    pipeline = Project.find(root).pipeline()
    requests = pd.DataFrame({"id": range(60), "branch": list("abc") * 20, "amount": [1.25 + n for n in range(60)]})
    reference = capture(pipeline, requests)
    return SimpleNamespace(root=root, folder=folder, pipeline=pipeline, reference=reference, policy=Policy())
