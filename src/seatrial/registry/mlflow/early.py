"""Refuse within a second what the look-up by MLflow's client would refuse after its import.

Only what is certain is refused: a store that cannot be read without MLflow, or does not answer at once, says nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from seatrial.errors import RegistryError, VersionNotFound
from seatrial.formatting import without_user
from seatrial.process.reaching import unreachable
from seatrial.registry.early import Use
from seatrial.registry.mlflow.artifacts import REFERENCE_TAG, reference_exists, without_reference, without_run
from seatrial.registry.mlflow.stores import (
    Listing,
    described,
    is_server,
    missing,
    read_database,
    read_folder,
    store,
)
from seatrial.registry.mlflow.stores import read_run_tag as read_stored_tag
from seatrial.registry.mlflow.versions import parts

RESERVED = "latest"  # an alias that MLflow resolves itself


def refuse(uri: str, use: Use) -> None:
    """Raise what is certain of a version; see :class:`seatrial.registry.early.RefusesEarly`."""
    name, number, alias = parts(uri)
    if number is not None and number.isdigit():
        number = str(int(number))
    address, variable = store()
    if is_server(address):
        _check_reachable(address, variable)
    found = _listing(address, name, number)
    if found is None:
        return
    if name not in found.models:
        raise VersionNotFound(missing(found, name, number, alias))
    if alias is not None:
        if alias not in found.aliases:
            if alias.lower() == RESERVED:
                return
            raise VersionNotFound(missing(found, name, number, alias))
        number = found.aliases[alias]
    if number is None or number not in found.versions:
        if alias is None:
            raise VersionNotFound(missing(found, name, number, alias))
        return
    if use != "look up" and not isinstance(_folder(address), Path):
        _check_reference(f"models:/{name}/{number}", found.versions[number], address, use)


def _check_reference(uri: str, run_id: str, address: str, use: Use) -> None:
    """Raise where the version has no reference and needs one, or has one and can take no other."""
    if not run_id:
        raise without_reference(uri, without_run=True) if use == "validate" else without_run(uri)
    tracking = _tracking(address)
    if tracking is None:
        return
    tag = _run_tag(tracking, run_id)
    if tag == "" and use == "validate":
        raise without_reference(uri)
    if tag and use == "capture":
        raise reference_exists(uri, tag)


def _check_reachable(address: str, variable: str) -> None:
    if why := unreachable(address):
        raise RegistryError(
            f"MLflow does not answer at {described()}: {why}. Start it (mlflow server), correct {variable}, or unset "
            "it to use the project's own store."
        )


def _listing(address: str, name: str, number: str | None) -> Listing | None:
    if is_server(address):
        from seatrial.registry.mlflow import rest

        try:
            return rest.read_server(address, name, number)
        except (rest.NoAnswer, KeyError, TypeError):
            return None
    folder = _folder(address)
    return read_database(address, name) if folder is None else read_folder(folder, name)


def _run_tag(address: str, run_id: str) -> str | None:
    if not is_server(address):
        return read_stored_tag(address, run_id, REFERENCE_TAG)
    from seatrial.registry.mlflow import rest

    try:
        return rest.read_run_tag(address, run_id, REFERENCE_TAG)
    except (rest.NoAnswer, KeyError, TypeError):
        return None


def _folder(address: str) -> Path | None:
    """Return the folder of a store of files; None where the address is none."""
    path = address.removeprefix("file://")
    return Path(path) if path and "://" not in path and ":" not in path and Path(path).is_dir() else None


def _tracking(registry: str) -> str | None:
    """Return the address of the runs, where it is the registry's; None where it is another, whatever it is."""
    tracking = os.environ.get("MLFLOW_TRACKING_URI") or registry
    return tracking if without_user(tracking) == without_user(registry) else None
