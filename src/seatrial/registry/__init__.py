"""The MLflow side: which version is meant, its model and reference on this disk, and where the aliases stand."""

from seatrial.registry.mlflow.artifacts import (
    can_take_reference,
    champion_contract,
    download_model,
    experiment_of,
    fetch,
    fetch_reference,
    store_reference,
)
from seatrial.registry.mlflow.client import client, reachable, spoken
from seatrial.registry.mlflow.versions import aliases, changed, move_alias, present, promoted, resolve
from seatrial.registry.protocol import VALIDATED, Fetched, Version, subject_of

__all__ = [
    "VALIDATED",
    "Fetched",
    "Version",
    "aliases",
    "can_take_reference",
    "champion_contract",
    "changed",
    "client",
    "download_model",
    "experiment_of",
    "fetch",
    "fetch_reference",
    "move_alias",
    "present",
    "promoted",
    "reachable",
    "resolve",
    "spoken",
    "store_reference",
    "subject_of",
]
