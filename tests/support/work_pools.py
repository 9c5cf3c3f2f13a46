"""Work pools as Prefect makes them: with the base job template that it ships for their type."""

from __future__ import annotations

import json
from importlib.resources import files

from seatrial.orchestration.deployments.pools import Pool

KNOWN = "server/api/collections_data/views/aggregate-worker-metadata.json"


def pool(kind: str, name: str = "theirs") -> Pool:
    """Return a pool of a type."""
    workers = json.loads((files("prefect") / KNOWN).read_text(encoding="utf-8"))
    [found] = [types[kind] for types in workers.values() if kind in types]
    return Pool(name, kind, found["default_base_job_configuration"])
