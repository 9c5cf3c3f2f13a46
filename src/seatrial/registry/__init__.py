"""Registries: which version is meant, its model and reference on this disk, found by the scheme of its address."""

from seatrial.registry.capabilities import SyncsLater
from seatrial.registry.champion import champion_contract, champion_model
from seatrial.registry.lookup import (
    aliases,
    changed_among,
    fetch,
    named,
    of,
    present,
    reachable,
    record,
    references,
    resolve,
    run_store,
    tracker,
    with_alias,
)
from seatrial.registry.protocol import VALIDATED, Fetched, Registry, Tracker, Version, subject_of

__all__ = [
    "VALIDATED",
    "Fetched",
    "Registry",
    "SyncsLater",
    "Tracker",
    "Version",
    "aliases",
    "champion_contract",
    "champion_model",
    "changed_among",
    "fetch",
    "named",
    "of",
    "present",
    "reachable",
    "record",
    "references",
    "resolve",
    "run_store",
    "subject_of",
    "tracker",
    "with_alias",
]
