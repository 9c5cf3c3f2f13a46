"""A webhook receiver for tests: the real one on a port, with short time limits, that records in a file what it started.

Run as a script: ``python receiver.py PORT SECRET NOTES``. The token of Weights & Biases is the secret backwards.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from seatrial.promotion.triggers import mlflow, wandb, webhook
from seatrial.promotion.triggers.delivery import Delivery


class Notes:
    """An inbox that remembers ids, and detects repeated ones."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def deliver(self, delivery_id: str, body_sha: str, name: str, number: str) -> bool:
        if name == "broken":
            raise OSError("the ledger is not there")
        new = delivery_id not in self.seen
        self.seen.add(delivery_id)
        return new


def main(port: str, secret: str, notes: str) -> None:
    def dispatch(deliveries: Sequence[Delivery]) -> None:
        with Path(notes).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps([d.id, d.name, d.number]) + "\n" for d in deliveries)

    webhook.HEAD_SECONDS = webhook.BODY_SECONDS = 1.0
    key = secret.encode()
    senders = {mlflow.PATH: mlflow.sender(key), wandb.PATH: wandb.sender(key, key[::-1])}
    webhook.serve(webhook.Receiver(senders, Notes(), dispatch), port=int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
