"""Which of MLflow's stores is asked and why, and where else a model may be that is not in it."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import quote, urlsplit

from seatrial.errors import nearest
from seatrial.formatting import without_user
from seatrial.project import is_own_store

VARIABLES = ("MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI")
SHOWN = 8  # names in a message
LOCKED_SECONDS = 0.5  # to wait for a database that another process writes to
SQLITE = "sqlite:///"
DELETED = "Deleted_Internal"  # the stage of a version that was deleted


@dataclass(frozen=True)
class Listing:
    """What a store says of one model.

    Attributes:
        models: the registered models.
        versions: of the model: number to the id of its run, which may be empty.
        aliases: of the model: alias to number.
    """

    models: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)


def store() -> tuple[str, str]:
    """Return the address of the registry that MLflow asks, and the variable that names it; both empty by default.

    Beside runs in Databricks, MLflow asks the Unity Catalog of the same workspace unless told otherwise.
    """
    registry, tracking = VARIABLES
    if address := os.environ.get(registry):
        return address, registry
    address = os.environ.get(tracking, "")
    return re.sub("^databricks(?=:|$)", "databricks-uc", address), tracking if address else ""


def described() -> str:
    """Return the address of the registry with the variable, or the default, that it comes from."""
    address, variable = store()
    if not address:
        return "MLflow's default store; MLFLOW_TRACKING_URI is not set"
    if is_own_store(address):
        return f"{address}, the project's own store; MLFLOW_TRACKING_URI is not set"
    return f"{without_user(address)}, from {variable}"


def missing(found: Listing, name: str, number: str | None, alias: str | None) -> str:
    """Return the message for a model, version or alias that a store does not have: what it has, and where to look."""
    looked = f" Looked in {described()}.{_elsewhere(name, number, alias) or _advice(found, name)}"
    if name not in found.models:
        known = ", ".join(found.models[:SHOWN]) or "none"
        return f"There is no registered model '{name}'. Registered: {known}.{nearest(name, found.models)}{looked}"
    if alias:
        known = ", ".join(sorted(found.aliases)) or "none"
        return f"Model '{name}' has no alias '{alias}'. Aliases: {known}.{nearest(alias, found.aliases)}{looked}"
    numbers = ", ".join(sorted(found.versions, key=int)[-SHOWN:]) or "none"
    return f"Model '{name}' has no version '{number}'. Versions: {numbers}.{looked}"


def _elsewhere(name: str, number: str | None, alias: str | None) -> str:
    """Return which other store on this disk has the version, and how to use it; empty where none has."""
    for address in _defaults():
        found = read_database(address, name) if address.startswith(SQLITE) else read_folder(Path(address), name)
        if found is None or name not in found.models:
            continue
        if (alias and alias not in found.aliases) or (number and number not in found.versions):
            continue
        numbers = ", ".join(sorted(found.versions, key=int)[-SHOWN:])
        return (
            f" It is in {address} (versions: {numbers}), where MLflow writes by default. Use that store: "
            f"export MLFLOW_TRACKING_URI={address}"
        )
    return ""


def _advice(found: Listing, name: str) -> str:
    """Return what to type where no other store on this disk has the version."""
    address, _ = store()
    if found.versions:
        return f" Try models:/{name}/{max(found.versions, key=int)}."
    if found.models:
        model = (get_close_matches(name, found.models, n=1) or found.models)[0]
        return f" Try models:/{model}/VERSION, or set MLFLOW_TRACKING_URI to another store."
    return (
        f" Register it there: export MLFLOW_TRACKING_URI={address}, then run the training again."
        if is_own_store(address)
        else " Set MLFLOW_TRACKING_URI to the store that the training wrote to."
    )


def _defaults() -> Iterator[str]:
    """Yield the stores that MLflow or a project uses by default, here and beside the project, but not the one asked."""
    address, _ = store()
    folders = [Path.cwd()]
    if is_own_store(address):
        folders += Path(address.removeprefix(SQLITE)).parents[1:3]
    for folder in dict.fromkeys(folders):
        for database in (folder / "mlflow.db", folder / ".seatrial" / "mlflow.db"):
            if database.is_file() and f"{SQLITE}{database}" != address:
                yield f"{SQLITE}{database}"
        if (folder / "mlruns" / "models").is_dir():
            yield str(folder / "mlruns")


def database_file(address: str) -> Path | None:
    """Return the file of a plain SQLite address; None for any other."""
    path = address.removeprefix(SQLITE)
    return Path(path) if path and path != address and "?" not in path else None


def read_database(address: str, name: str) -> Listing | None:
    """Return what MLflow's tables in a SQLite file say of a model; None where they cannot be read.

    A file that does not exist holds nothing: MLflow would make an empty one.
    """
    file = database_file(address)
    if file is None:
        return None
    if not file.exists():
        return Listing()
    try:
        with _connected(file) as database:
            models = database.execute("SELECT DISTINCT name FROM registered_models ORDER BY name").fetchall()
            versions = database.execute(
                "SELECT version, run_id FROM model_versions WHERE name = ? AND current_stage IS NOT ?", (name, DELETED)
            ).fetchall()
            aliases = database.execute(
                "SELECT alias, version FROM registered_model_aliases WHERE name = ?", (name,)
            ).fetchall()
    except sqlite3.Error:
        return None
    numbers = {str(number): run or "" for number, run in versions}
    return Listing(tuple(m for (m,) in models), numbers, {a: str(n) for a, n in aliases})


def read_run_tag(address: str, run_id: str, tag: str) -> str | None:
    """Return a tag of a run in a SQLite store, empty where the run has none; None where it cannot be read."""
    file = database_file(address)
    try:
        if file is None or not file.exists():
            return None
        with _connected(file) as database:
            if database.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (run_id,)).fetchone() is None:
                return None
            row = database.execute("SELECT value FROM tags WHERE run_uuid = ? AND key = ?", (run_id, tag)).fetchone()
    except sqlite3.Error:
        return None
    return str(row[0]) if row else ""


def read_folder(folder: Path, name: str) -> Listing | None:
    """Return what MLflow's folder of files says of a model; None where it cannot be read."""
    try:
        models = tuple(sorted(p.name for p in (folder / "models").iterdir() if p.is_dir()))
        here = folder / "models" / name
        numbers = {p.name.removeprefix("version-"): "" for p in here.glob("version-*") if p.is_dir()}
        aliases = {p.name: p.read_text(encoding="utf-8").strip() for p in here.glob("aliases/*")}
    except (OSError, UnicodeDecodeError, ValueError):
        return None
    return Listing(models, {n: "" for n in numbers if n.isdigit()}, aliases)


def is_server(address: str) -> bool:
    """Return whether an address is that of an MLflow server."""
    return urlsplit(address).scheme in ("http", "https")


def _connected(file: Path) -> contextlib.closing[sqlite3.Connection]:
    """Return a connection that only reads, and is closed with its block."""
    address = f"file:{quote(str(file.absolute()))}?mode=ro"
    return contextlib.closing(sqlite3.connect(address, uri=True, timeout=LOCKED_SECONDS))
