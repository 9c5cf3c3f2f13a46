"""Registries: which version is meant, its model and reference on this disk, found by the scheme of its address."""

from seatrial.registry.lookup import champion_contract, fetch, named, of, record, resolve, with_alias
from seatrial.registry.protocol import VALIDATED, Fetched, Registry, Tracker, Version, subject_of

__all__ = [
    "VALIDATED",
    "Fetched",
    "Registry",
    "Tracker",
    "Version",
    "champion_contract",
    "fetch",
    "named",
    "of",
    "record",
    "resolve",
    "subject_of",
    "with_alias",
]
