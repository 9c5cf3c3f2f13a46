"""The MLflow side: which version is meant, its model and reference on this disk, and what is written back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.bundle import directory_digest
from seatrial.contract.openapi import is_openapi
from seatrial.errors import ReferenceInvalid, RegistryError, UsageError, nearest
from seatrial.events import Subject
from seatrial.promised import Promised
from seatrial.reference import Reference

REFERENCE_PATH = "seatrial/reference"  # of the run's artifacts
REFERENCE_TAG = "seatrial.reference_digest"  # of the run
VALIDATED = "validated"  # the alias that every version gets on a pass
OPENAPI, OPENAPI_BYTES = "openapi.json", 8 * 2**20  # of a verdict's run, and how much of it is read
PAGE, ALL = 200, 10_000  # versions or models asked for at once
LAST_RUNS = 10  # verdicts of a version that are looked through
_URI = re.compile(r"^models:/(?P<name>[^/@]+)(?:/(?P<version>[^/@]+)|@(?P<alias>[^/@]+))$")


@dataclass(frozen=True)
class Version:
    """A registered model version, as the registry described it when it was asked."""

    name: str
    number: str
    created: int
    run_id: str
    model_id: str
    aliases: tuple[str, ...] = ()
    changed: int = 0  # when it last was, milliseconds since 1970

    @property
    def uri(self) -> str:
        """``models:/name/number``."""
        return f"models:/{self.name}/{self.number}"


@dataclass(frozen=True)
class Fetched:
    """A version's model and reference on this disk; the digest is of the model's files as we hashed them."""

    version: Version
    model: Path
    digest: str
    reference: Reference

    @property
    def subject(self) -> Subject:
        """Who is on trial."""
        return subject_of(self.version, self.digest)


def subject_of(version: Version, digest: str = "") -> Subject:
    """Return the subject that a version is, with the digest of its files where they were hashed."""
    return Subject(version.name, version.number, _registry_uri(), version.created, digest)


def client() -> Any:
    """Return an MLflow client of the tracking server that ``MLFLOW_TRACKING_URI`` names."""
    import mlflow

    return mlflow.MlflowClient()


def resolve(uri: str) -> Version:
    """Return the version that ``models:/name/1`` or ``models:/name@alias`` means now.

    Raises:
        UsageError: not such a URI.
        RegistryError: no such model, version or alias, or no answer.
    """
    match = _URI.match(uri)
    if not match:
        raise UsageError(f"'{uri}' names no model version. Write models:/NAME/VERSION or models:/NAME@ALIAS.")
    name, number, alias = match["name"], match["version"], match["alias"]
    registry = client()
    with spoken("looked up", uri):
        try:
            version = (
                registry.get_model_version_by_alias(name, alias) if alias else registry.get_model_version(name, number)
            )
        except Exception as error:
            if getattr(error, "error_code", "") not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            raise RegistryError(_missing(registry, name, number, alias)) from error
    return _version(version)


def present(name: str, number: str) -> Version | None:
    """Return the version as it is registered now, or None when it is not.

    Raises:
        RegistryError: no answer.
    """
    with spoken("looked up", f"models:/{name}/{number}"):
        try:
            return _version(client().get_model_version(name, number))
        except Exception as error:
            if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None


def changed(since: float = 0.0, *, model: str = "") -> list[Version]:
    """Return every version that is ready and was last changed at ``since`` or later, the latest first.

    Args:
        since: milliseconds since 1970 by the registry's clock; 0 lists all.
        model: this registered model's alone.

    Raises:
        RegistryError: no answer.
    """
    found: list[Version] = []
    only = {"filter_string": "name = '{}'".format(model.replace("'", "''"))} if model else {}
    with spoken("listed", "The versions"):
        registry, token = client(), None
        while True:
            page = registry.search_model_versions(
                max_results=PAGE if since else ALL, order_by=["last_updated_timestamp DESC"], page_token=token, **only
            )
            late = [v for v in page if (v.last_updated_timestamp or 0) >= since]
            found += [_version(v) for v in late if v.status == "READY"]
            token = page.token
            if not token or len(late) < len(page):
                return found


def aliases() -> dict[str, dict[str, str]]:
    """Return every registered model with its aliases: model to alias to version's number.

    Raises:
        RegistryError: no answer.
    """
    found: dict[str, dict[str, str]] = {}
    with spoken("listed", "The models"):
        registry, token = client(), None
        while True:
            page = registry.search_registered_models(max_results=PAGE, page_token=token)
            found |= {m.name: {a: str(n) for a, n in (m.aliases or {}).items()} for m in page}
            token = page.token
            if not token:
                return found


def move_alias(name: str, alias: str, number: str) -> bool:
    """Put an alias on a version; False when somebody else put it elsewhere at the same moment.

    MLflow has no compare-and-set: all that can be done is to look again afterwards.

    Raises:
        RegistryError: no answer.
    """
    with spoken("given an alias", f"models:/{name}/{number}"):
        registry = client()
        registry.set_registered_model_alias(name, alias, number)
        return str(registry.get_model_version_by_alias(name, alias).version) == number


def fetch(version: Version, into: Path) -> Fetched:
    """Download the version's model and reference below ``into``, which is emptied first.

    Raises:
        RegistryError: no answer, or files that cannot be had.
        ReferenceInvalid: the version carries no reference, or one that is damaged or of another run.
    """
    into.mkdir(parents=True, exist_ok=True)
    model = download_model(version, into / "model")
    reference = fetch_reference(version, into / "reference")
    return Fetched(version, model, directory_digest(model), reference)


def download_model(version: Version, into: Path) -> Path:
    """Download the version's model files to ``into`` and return it."""
    import mlflow

    shutil.rmtree(into, ignore_errors=True)
    with spoken("downloaded", version.uri):
        source = client().get_model_version_download_uri(version.name, version.number)
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=str(into)))


def store_reference(reference: Reference, run_id: str) -> None:
    """Store the reference with an MLflow run, beside the model the run logged, and its digest as the run's tag."""
    registry = client()
    with spoken("stored with run", run_id):
        registry.log_artifacts(run_id, str(reference.root), REFERENCE_PATH)
        registry.set_tag(run_id, REFERENCE_TAG, reference.digest)


def can_take_reference(version: Version) -> None:
    """Raise RegistryError unless the version has a run to keep a reference with, and none is there yet."""
    if not version.run_id:
        raise RegistryError(f"{version.uri} was registered without a run; a reference is kept with the model's run.")
    with spoken("looked up", version.uri):
        stated = client().get_run(version.run_id).data.tags.get(REFERENCE_TAG)
    if stated:
        raise RegistryError(
            f"{version.uri} has a reference already ({stated[:19]}…), which its verdicts rest on. "
            "Register a new version to capture another."
        )


def promoted(name: str, alias: str) -> Version | None:
    """Return the version an alias stands on, or None."""
    try:
        return resolve(f"models:/{name}@{alias}")
    except RegistryError:
        if not reachable():
            raise
        return None


def promised(version: Version, alias: str, into: Path) -> Promised | None:
    """Return what the version promises that ``alias`` stands on; None where it stands on none.

    The OpenAPI is that of its last pass: a later verdict that failed may be about a service that broke its word.

    Args:
        version: the one on trial.
        alias: of the promoted one.
        into: where the promoted version's reference is downloaded to.
    """
    best = promoted(version.name, alias)
    if best is None:
        return None
    document, why = _stored_openapi(best)
    reference = None
    if best.number != version.number:
        with contextlib.suppress(ReferenceInvalid):
            reference = fetch_reference(best, into).root
    return Promised(best.number, document, why, reference)


def experiment_of(name: str) -> str:
    """Return the experiment that holds the verdicts of a model."""
    return f"seatrial/{name}"


def _version(version: Any) -> Version:
    return Version(
        name=version.name,
        number=str(version.version),
        created=int(version.creation_timestamp or 0),
        run_id=version.run_id or "",
        model_id=model_id(version),
        aliases=tuple(version.aliases or ()),
        changed=int(version.last_updated_timestamp or 0),
    )


def model_id(version: Any) -> str:
    """Return the LoggedModel behind a version, read from its source, or the empty string."""
    match = re.match(r"^models:/(m-[0-9a-f]+)$", version.source or "")
    return getattr(version, "model_id", None) or (match[1] if match else "")


def fetch_reference(version: Version, into: Path) -> Reference:
    """Download the version's reference to ``into``, which is emptied first, and verify it.

    Raises:
        RegistryError: no answer.
        ReferenceInvalid: the version carries no reference, or one that is damaged or of another run.
    """
    import mlflow

    without = (
        f"{version.uri} carries no reference. Its training run must store one: "
        "seatrial.capture(pipeline, requests, model=…, run_id=run.info.run_id)."
    )
    if not version.run_id:
        raise ReferenceInvalid(without + " This version was registered without a run.")
    shutil.rmtree(into, ignore_errors=True)
    with spoken("downloaded", f"the reference of {version.uri}"):
        registry = client()
        stated = registry.get_run(version.run_id).data.tags.get(REFERENCE_TAG)
        if not registry.list_artifacts(version.run_id, REFERENCE_PATH):
            raise ReferenceInvalid(without)
        path = mlflow.artifacts.download_artifacts(
            run_id=version.run_id, artifact_path=REFERENCE_PATH, dst_path=str(into)
        )
    reference = Reference.load(path)
    if reference.digest != stated:
        raise ReferenceInvalid(
            f"The reference beside {version.uri} is not the one its training run captured: its digest is "
            f"{reference.digest[:19]}… and the run states {str(stated)[:19]}…. Capture it again in the training run."
        )
    return reference


def _stored_openapi(version: Version) -> tuple[dict[str, Any] | None, str]:
    """Return the OpenAPI kept with the version's last pass, or None and why."""
    import mlflow

    registry = client()
    with spoken("asked for its OpenAPI", version.uri):
        experiment = registry.get_experiment_by_name(experiment_of(version.name))
        if experiment is None:
            return None, "it never got a verdict"
        since = f"params.version = '{version.number}' and attributes.start_time >= {version.created}"
        runs = registry.search_runs(
            [experiment.experiment_id], f"{since} and tags.`seatrial.verdict` = 'pass'", max_results=LAST_RUNS,
            order_by=["attributes.start_time DESC"],
        )  # fmt: skip
        kept = [(r, a) for r in runs for a in registry.list_artifacts(r.info.run_id) if a.path == OPENAPI]
        if not kept:
            return None, "none is stored with a verdict that it passed"
        run, artifact = kept[0]
        if (artifact.file_size or 0) > OPENAPI_BYTES:
            return None, f"the stored one has {artifact.file_size:,} bytes; at most {OPENAPI_BYTES:,} are read"
        with tempfile.TemporaryDirectory(prefix="seatrial-openapi-") as here:
            path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=OPENAPI, dst_path=here)
            text = Path(path).read_bytes()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    return (document, "") if is_openapi(document) else (None, "the stored one is no OpenAPI 3 document")


@contextlib.contextmanager
def spoken(what: str, uri: str) -> Iterator[None]:
    """Turn whatever MLflow raises into one sentence."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError) as error:
        first = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise RegistryError(
            f"{uri} could not be {what} at MLflow ({_registry_uri()}): {first}. "
            "Check MLFLOW_TRACKING_URI and that the server is up."
        ) from error


def _missing(registry: Any, name: str, number: str | None, alias: str | None) -> str:
    models = [m.name for m in registry.search_registered_models()]
    if name not in models:
        known = ", ".join(models[:8]) or "none"
        return f"There is no registered model '{name}'. Registered: {known}.{nearest(name, models)}"
    numbers = sorted((v.version for v in registry.search_model_versions(f"name='{name}'")), key=int)
    if alias:
        aliases = sorted(registry.get_registered_model(name).aliases)
        return (
            f"Model '{name}' has no alias '{alias}'. Aliases: {', '.join(aliases) or 'none'}.{nearest(alias, aliases)}"
        )
    return f"Model '{name}' has no version '{number}'. Versions: {', '.join(map(str, numbers[-8:])) or 'none'}."


def reachable() -> bool:
    """Say whether the registry answers."""
    try:
        client().search_registered_models(max_results=1)
    except Exception:  # noqa: BLE001  any failure is the answer
        return False
    return True


def _registry_uri() -> str:
    """Return the registry's address without what may be secret in it."""
    uri = os.environ.get("MLFLOW_REGISTRY_URI") or os.environ.get("MLFLOW_TRACKING_URI") or "the default store"
    return re.sub(r"//[^/@]*@", "//", uri)
