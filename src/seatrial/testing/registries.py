"""What every registry and its tracker promise."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from seatrial.errors import ReferenceInvalid, RegistryError, SeatrialError, UsageError, VersionNotFound
from seatrial.events import Outcome
from seatrial.io.bundle import directory_digest
from seatrial.reference.snapshot import Reference
from seatrial.registry.capabilities import HasTracker, StoresReferences
from seatrial.registry.lookup import aliases
from seatrial.registry.protocol import Fetched, Registry, RunStore, Version
from seatrial.registry.runs import description_texts, run_payload
from seatrial.testing.registration import require
from seatrial.testing.samples import sample_reference, sample_verdict

Register = Callable[[str, Path, Reference | None], str]
"""Registers a version as a training job would: the model's name, the directory of its files, and its reference."""

NAME = "conformance-sample"


def registry_conforms(registry: Registry, scheme: str, register: Register, folder: Path) -> None:
    """Hold a registry to its protocol: lookups, changes, aliases, files, references, tags, descriptions and runs.

    What it offers beyond the protocol is held to its own: a tracker, references to store, aliases to list.

    Args:
        registry: an empty registry of the test.
        scheme: of its addresses.
        register: registers a version and returns its number.
        folder: an empty directory of the test.

    Raises:
        AssertionError: the first promise that is broken.
    """
    require(isinstance(registry, Registry), f"{type(registry).__name__} lacks a member of seatrial's Registry.")
    model, reference = folder / "model", sample_reference()
    model.mkdir()
    (model / "weights.txt").write_text("1.5", encoding="utf-8")
    first = register(NAME, model, reference)
    (model / "weights.txt").write_text("2.5", encoding="utf-8")
    second = register(NAME, model, None)
    require(int(second) > int(first), f"Version {second} was registered after {first}: numbers grow.")
    version = registry.resolve(f"{scheme}:/{NAME}/{first}")
    _lookups(registry, scheme, version, second)
    _aliases(registry, scheme, first, second)
    _files(registry, version, registry.resolve(f"{scheme}:/{NAME}/{second}"), reference, folder)
    fetched = Fetched(version, model, directory_digest(model), reference)
    verdict = sample_verdict()
    for _ in range(2):  # whoever applies an effect may die at any line and begin again
        registry.annotate(version, {"seatrial.verdict": "pass"}, description_texts(verdict), "", "")
        registry.annotate(version, {"seatrial.other": "kept"})
    kept = dict(registry.resolve(version.uri).tags)
    require(kept.get("seatrial.verdict") == "pass", "Version.tags does not return what annotate set.")
    require(kept.get("seatrial.other") == "kept", "annotate without texts sets tags too.")
    if isinstance(registry, HasTracker):
        _runs(registry.tracker, fetched, folder)


def _lookups(registry: Registry, scheme: str, version: Version, second: str) -> None:
    require(version.uri == f"{scheme}:/{NAME}/{version.number}", f"Version.uri is {version.uri}; set its scheme.")
    require(version.created > 0, "A version states when it was registered, in milliseconds since 1970.")
    _raises(VersionNotFound, lambda: registry.resolve(f"{scheme}:/{NAME}/77"), "resolving a version that is not there")
    _raises(
        VersionNotFound, lambda: registry.resolve(f"{scheme}:/{NAME}@nobody"), "resolving an alias that is not there"
    )
    _raises(VersionNotFound, lambda: registry.resolve(f"{scheme}:/nobody/1"), "resolving a model that is not there")
    _raises(UsageError, lambda: registry.resolve(f"{scheme}:nonsense"), "resolving what is not a URI")
    same = [v for v in registry.changed_since(0) if v.name == NAME]
    require(version in same, "changed_since and resolve describe one version differently.")
    listed = [v.number for v in same]
    require(sorted(listed, key=int) == [version.number, second], f"changed_since(0) lists the versions {listed}.")
    require(
        [v.name for v in registry.changed_since(model=NAME)] == [NAME] * 2, "changed_since lists another model too."
    )
    require(not registry.changed_since(model="nobody"), "changed_since lists versions of a model that is not there.")
    later = (time.time() + 3_600) * 1_000
    require(not registry.changed_since(later), "changed_since lists versions that have not changed since.")


def _aliases(registry: Registry, scheme: str, first: str, second: str) -> None:
    for number in (first, second, first):
        version = registry.resolve(f"{scheme}:/{NAME}/{number}")
        require(registry.move_alias(version, "champion"), f"move_alias did not put the alias on version {number}.")
        found = registry.resolve(f"{scheme}:/{NAME}@champion")
        require(found.number == number, f"The alias was put on version {number} and resolves to {found.number}.")
        require("champion" in found.aliases, "A version lists the aliases that stand on it.")
        stands = aliases(registry)[NAME]
        require(dict(stands) == {"champion": number}, f"The aliases are listed as {dict(stands)}.")


def _files(registry: Registry, version: Version, bare: Version, reference: Reference, folder: Path) -> None:
    into = folder / "downloaded"
    for _ in range(2):
        there = registry.fetch(version, into)
        require((there / "weights.txt").read_text(encoding="utf-8") == "1.5", "fetch gave other files.")
    same = registry.reference(version, folder / "reference").digest == reference.digest
    require(same, "reference gave another reference than the one that was stored.")
    missing = folder / "missing"
    _raises(ReferenceInvalid, lambda: registry.reference(bare, missing), "fetching a reference that is not there")
    if isinstance(registry, StoresReferences):
        _raises(RegistryError, lambda: registry.can_take_reference(version), "storing a second reference")


def _runs(tracker: RunStore, fetched: Fetched, folder: Path) -> None:
    require(isinstance(tracker, RunStore), f"{type(tracker).__name__} lacks a member of seatrial's RunStore.")
    version, results = fetched.version, folder / "results"
    results.mkdir()
    for outcome, text in ((Outcome.FAIL, b"fail"), (Outcome.PASS, b"pass")):
        (results / "note.txt").write_bytes(text)
        body = run_payload(sample_verdict(outcome), fetched)
        body["params"]["version"] = version.number
        ids = {tracker.log_run(body, results, key=f"key-{outcome}") for _ in range(2)}
        require(len(ids) == 1, "log_run logged two runs under one key.")
        time.sleep(0.002)  # runs are ordered by their millisecond
    found = list(tracker.artifacts(version, "note.txt", most_bytes=100))
    require(found == [b"pass", b"fail"], f"artifacts yields {found}; the newest run comes first.")
    there = tracker.files(version, f"key-{Outcome.FAIL}", folder / "files")
    names = {p.name: p.read_bytes() for p in there.rglob("*") if p.is_file()} if there else {}
    require(names == {"note.txt": b"fail"}, f"files gave {sorted(names)} of a run; it has note.txt.")
    require(tracker.files(version, "nobody", folder / "none") is None, "files returns None for a key of no run.")
    passed = list(tracker.artifacts(version, "note.txt", most_bytes=100, passed=True))
    require(passed == [b"pass"], f"artifacts of passing verdicts yields {passed}.")
    require(
        not list(tracker.artifacts(version, "note.txt", most_bytes=1)), "artifacts yields a file beyond most_bytes."
    )
    require(not list(tracker.artifacts(version, "other.txt", most_bytes=9)), "artifacts yields a file of another name.")


def _raises(kind: type[SeatrialError], call: Callable[[], object], what: str) -> None:
    try:
        call()
    except kind as error:
        require(str(error).strip(), f"The {kind.__name__} of {what} has no message.")
        return
    raise AssertionError(f"No {kind.__name__} came of {what}.")
