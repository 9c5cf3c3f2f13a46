"""Train, capture and register in the folder registry: ``python scales/train.py``."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pandas as pd
from seatrial_folder import FolderRegistry

from seatrial import capture
from seatrial.io.loading import load_file

REQUESTS = 40


def main() -> None:
    pipeline = load_file(Path(__file__).with_name("pipeline.py")).pipeline
    requests = pd.DataFrame(
        {
            "id": [f"r{n}" for n in range(REQUESTS)],
            "kind": ["a", "b", "c", None] * (REQUESTS // 4),
            "x": [n / 8 for n in range(1, REQUESTS + 1)],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "factor.json").write_text(json.dumps(1.25), encoding="utf-8")
        reference = capture(pipeline, requests, model=folder)
        number = FolderRegistry().register("parcels", folder, reference)
    print(f"folder:/parcels/{number}")  # noqa: T201


if __name__ == "__main__":
    main()
