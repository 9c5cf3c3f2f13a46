"""The stores and servers that a validation speaks to. Each is asked once, for at most a second."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from seatrial.cli.start.doctor.lines import Line, missing, note, ok
from seatrial.process.prefect_profile import adopt, correction, source
from seatrial.project import MLFLOW_STORE, Project, is_hosted

SECONDS = 1.0
VERSIONS = "SELECT name, COUNT(*) FROM model_versions GROUP BY name ORDER BY name"
MOST = 5
HOSTED = "What each server takes is in docs/how-to/managed-mlflow.md."


def model_store(project: Project) -> Iterator[Line]:
    """Examine MLflow's store: which, what says so, whether it answers, and whether the project's models are there."""
    named = os.environ.get("MLFLOW_TRACKING_URI")
    uri = named or project.model_store()[0]
    source = (
        "MLFLOW_TRACKING_URI" if named else "[tool.seatrial] tracking_uri" if project.tracking_uri else "the default"
    )
    what = f"{shown(uri)} (from {source})"
    if uri.startswith(("http://", "https://")):
        advice = "Start the MLflow server, or correct MLFLOW_TRACKING_URI."
        yield _server("models", f"{uri.rstrip('/')}/health", what, advice)
        return
    if is_hosted(uri):
        yield note("models", f"{what} is hosted: it is asked when a version is looked up", HOSTED)
        return
    if not uri.startswith("sqlite:///"):
        yield ok("models", what) if "://" in uri or Path(uri).is_dir() else _empty(project, what)
        return
    file = Path(uri.removeprefix("sqlite:///"))
    if not file.is_file():
        yield _empty(project, what)
    else:
        try:
            yield _registered(project, _versions(file), what)
        except sqlite3.Error as error:
            advice = "Set MLFLOW_TRACKING_URI to the store of your models."
            yield missing("models", f"{what} cannot be read: {error}", advice)
    for other in (project.root / MLFLOW_STORE, project.state / MLFLOW_STORE):
        if other.is_file() and not (file.is_file() and other.samefile(file)):
            with contextlib.suppress(sqlite3.Error):
                if there := _ours(project, _versions(other)):
                    advice = f"To use it: export MLFLOW_TRACKING_URI=sqlite:///{other}"
                    yield note("models", f"another store, {other}, has {there}", advice)


def _versions(file: Path) -> list[tuple[str, int]]:
    with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=SECONDS)) as store:
        return [(str(name), int(count)) for name, count in store.execute(VERSIONS)]


def _ours(project: Project, versions: Sequence[tuple[str, int]]) -> str:
    found = [(name, n) for name, n in versions if project.owns(name)]
    told = [f"{name} ({n} version{'s' if n > 1 else ''})" for name, n in found[:MOST]]
    return ", ".join([*told, *([f"and {len(found) - MOST} more"] if len(found) > MOST else [])])


def _registered(project: Project, versions: Sequence[tuple[str, int]], what: str) -> Line:
    if there := _ours(project, versions):
        return ok("models", f"{what}: {there}")
    wanted = ", ".join(project.models)
    others = ", ".join(name for name, _ in versions[:MOST]) or "none"
    found = f"{what} has no version of a model named {wanted}; registered there: {others}"
    advice = "Train and register one there, or name its store: export MLFLOW_TRACKING_URI=…"
    return missing("models", found, advice)


def _empty(project: Project, what: str) -> Line:
    advice = f"Run your training script in {project.root}, or name its store: export MLFLOW_TRACKING_URI=…"
    return missing("models", f"{what} is not there yet", advice)


def prefect(project: Project) -> Iterator[Line]:
    """Examine the Prefect server."""
    url = adopt()
    if not url:
        yield ok("prefect", f"PREFECT_API_URL is not set: each command starts a server, in {project.state / 'prefect'}")
        return
    advice = f"Start the Prefect server; or {correction(url)}, to use one of seatrial's own."
    yield _server("prefect", f"{url.rstrip('/')}/health", f"{shown(url)} (from {source(url)})", advice)


def ledger(project: Project) -> Iterator[Line]:
    """Examine where verdicts are kept, and the key that signs them."""
    url = os.environ.get("SEATRIAL_LEDGER_URL", "")
    parts = urlsplit(url)
    if not url:
        yield ok("ledger", f"SEATRIAL_LEDGER_URL is not set: {project.state / 'ledger.db'}")
    elif parts.hostname:
        yield _port("ledger", parts.hostname, parts.port or 5432, f"{shown(url)} (from SEATRIAL_LEDGER_URL)")
    else:
        yield ok("ledger", f"{shown(url)} (from SEATRIAL_LEDGER_URL)")
    for name in ("SEATRIAL_SIGNING_KEY", "SEATRIAL_PUBLIC_KEY"):
        for part in filter(None, os.environ.get(name, "").split(os.pathsep)):
            if not Path(part).exists():
                yield missing("keys", f"{name} names {part}, which is not there", f"Correct {name}, or unset it.")
    if "SEATRIAL_SIGNING_KEY" in os.environ:
        yield ok("keys", "SEATRIAL_SIGNING_KEY is set")
    elif any((project.state / "keys").glob("*")):
        yield ok("keys", f"of the project, in {project.state / 'keys'}")
    else:
        yield ok("keys", f"none yet: the first verdict makes one, in {project.state / 'keys'}")


def _server(subject: str, url: str, what: str, advice: str) -> Line:
    parts = urlsplit(url)
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # urllib takes no user from an address
    try:
        with urllib.request.urlopen(plain, timeout=SECONDS) as answer:  # noqa: S310  an address that the user gave
            return ok(subject, f"{what}: answers with status {answer.status}")
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404):  # it answers; what it answers to is its own affair
            return ok(subject, f"{what}: answers with status {error.code}")
        return missing(subject, f"{what}: answers with status {error.code}", advice)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return missing(subject, f"{what}: does not answer within {SECONDS:.0f} s ({reason})", advice)


def _port(subject: str, host: str, port: int, what: str) -> Line:
    import socket

    try:
        with socket.create_connection((host, port), timeout=SECONDS):
            return ok(subject, f"{what}: accepts connections")
    except OSError as error:
        advice = "Start the database, or correct SEATRIAL_LEDGER_URL."
        return missing(subject, f"{what}: does not answer within {SECONDS:.0f} s ({error.strerror or error})", advice)


def shown(url: str) -> str:
    """Return an address without its password and its query.

    Example:
        >>> shown("http://ada:secret@mlflow:5000/?token=t-4471")
        'http://ada:***@mlflow:5000/'
    """
    parts = urlsplit(url)
    bare = url.partition("?")[0]
    if parts.password:
        return bare.replace(f":{parts.password}@", ":***@")
    return bare.replace(f"{parts.username}@", "***@") if parts.username else bare
