"""What ``seatrial kserve`` does: read its options, and verify, render and apply each step."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from seatrial import registry
from seatrial.cli.kserve.manifests import Deployment, Manifest, as_yaml, inference_service, service_name, smoke_test
from seatrial.cli.kserve.rollout import Means, roll_out, steps_of
from seatrial.cli.preflight import before
from seatrial.errors import UsageError
from seatrial.promotion.verify import verify
from seatrial.registry import Version
from seatrial.sinks.text import neutral

COMMAND_SECONDS = 3600.0  # a check may wait for a Job


@dataclass(frozen=True)
class Chosen:
    """The options that the manifests are made from, as they were written."""

    storage: str = ""
    manifest: Path | None = None
    namespace: str = ""
    image: str = "seatrial"
    env_from: str = "seatrial"
    target: str = ""


def command(
    directory: Path,
    model_uri: str,
    chosen: Chosen,
    *,
    step: str,
    current: int | None = None,
    wait: float = 0.0,
    check: str | None = None,
    apply: str | None = None,
) -> int:
    """Verify, render and apply a version step by step; return the exit code.

    Raises:
        UsageError: an option cannot be used, or a share could not be applied.
        SeatrialError: the version or its project cannot be found.
    """
    steps = steps_of(step, current)
    if len(steps) > 1 and not apply:
        raise UsageError(
            f'--step {step} applies one step after the other. Add --apply "kubectl apply -f -", or give one step.'
        )
    if wait < 0:
        raise UsageError(f"--wait {wait:g}: give seconds, 0 or more.")
    commands = {name: _words(name, text) for name, text in (("--check", check), ("--apply", apply)) if text is not None}
    base = None if chosen.manifest is None else read_manifest(chosen.manifest)
    before.verification(directory, model_uri)
    version = registry.resolve(model_uri)  # once: an alias may move between two steps
    plan = deployment(version, chosen, base)

    def give(*manifests: Manifest) -> None:
        text = as_yaml(*manifests)
        if "--apply" not in commands:
            print(text, end="", flush=True)  # noqa: T201
        elif code := _run(commands["--apply"], text):
            raise UsageError(f"The command of --apply, '{commands['--apply'][0]}', ended with exit code {code}.")

    def applied(percent: int, digest: str) -> None:
        of = replace(plan, digest=digest)
        give(inference_service(of, percent), *([] if percent else [smoke_test(of)]))

    means = Means(
        verify=lambda: verify(directory, version.uri),
        apply=applied,
        withdraw=lambda digest: give(inference_service(replace(plan, digest=digest), 0)),
        check=lambda: _run(commands["--check"]) if "--check" in commands else 0,
        pause=lambda: time.sleep(wait),
        tell=lambda text: print(neutral(text, 1_000), file=sys.stderr, flush=True),  # noqa: T201
    )
    return roll_out(steps, means, current)


def read_manifest(path: Path) -> dict[str, Any]:
    """Return an InferenceService from a file.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    try:
        found = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise UsageError(f"--manifest {path} cannot be read: {why}") from error
    services = [each for each in found if isinstance(each, dict) and each.get("kind") == "InferenceService"]
    if len(services) != 1:
        kinds = ", ".join(str(each.get("kind")) for each in found if isinstance(each, dict)) or "none"
        raise UsageError(f"--manifest {path} must hold one InferenceService; found: {kinds}.")
    (service,) = services
    spec = service.get("spec")
    predictor = spec.get("predictor") if isinstance(spec, dict) else None
    if not isinstance(predictor, dict):
        fields = ", ".join(map(str, spec)) if isinstance(spec, dict) else "none"
        raise UsageError(f"--manifest {path}: spec.predictor is missing. Fields of spec: {fields}.")
    if not isinstance(service.get("metadata", {}), dict):
        raise UsageError(f"--manifest {path}: metadata is no mapping.")
    return service


def deployment(version: Version, chosen: Chosen, base: dict[str, Any] | None) -> Deployment:
    """Return what the manifests of a version say, without the digest of its files.

    Raises:
        UsageError: an option or the manifest cannot be used for it.
    """
    storage = chosen.storage.replace("{name}", version.name).replace("{version}", version.number)
    has_model = base is None or isinstance(base["spec"]["predictor"].get("model"), dict)
    if has_model and not re.match(r"[a-z][a-z0-9+.-]*://.", storage):
        found = f"'{storage}' is no address that KServe loads from" if storage else "it is missing"
        raise UsageError(
            f"--storage-uri: {found}. Give the address of its files, such as s3://models/{{name}}/{{version}}, "
            "gs://…, https://…, pvc://… or hf://…"
        )
    if storage and not has_model:
        raise UsageError("--storage-uri: the manifest's predictor has no 'model' to set it on. Leave it out.")
    for option, address in (("--storage-uri", storage), ("--target", chosen.target)):
        parts = urlsplit(address)
        if parts.password is not None or (parts.scheme in ("http", "https") and parts.username is not None):
            raise UsageError(
                f"{option} holds a user or a password, and manifests are read by many. Give them to Kubernetes as a "
                "Secret."
            )
    namespace = chosen.namespace or str((base or {}).get("metadata", {}).get("namespace") or "default")
    plan = Deployment(version, "", storage, namespace, chosen.image, chosen.env_from, chosen.target, base)
    service_name(plan)  # raises before anything is verified
    return plan


def _words(option: str, text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{option} '{text}': {error}. Quote it as in a shell.") from error
    if not words:
        raise UsageError(f"{option} is empty.")
    return words


def _run(words: list[str], given: str = "") -> int:
    """Run a command of the user, and return its exit code; 127 where it cannot be started, 124 where it takes too long.

    What it prints goes to standard error: the output of this process is for manifests.
    """
    try:
        return subprocess.run(  # noqa: S603  the user's own words, as they would type them
            words, input=given, text=True, stdout=2, check=False, timeout=COMMAND_SECONDS
        ).returncode
    except subprocess.TimeoutExpired:
        return 124
    except OSError as error:
        print(f"{neutral(words[0], 200)}: {error.strerror}", file=sys.stderr, flush=True)  # noqa: T201
        return 127
