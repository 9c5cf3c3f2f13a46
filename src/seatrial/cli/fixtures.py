"""What ``seatrial fixtures`` does: generate declared fixtures, regenerate them to detect drift, show them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from seatrial import registry
from seatrial.errors import EXIT_INCONCLUSIVE, EXIT_PASS, FixtureError, UsageError
from seatrial.fixtures import check as checking
from seatrial.fixtures import fixture, spec, spec_file, store
from seatrial.fixtures import make as making
from seatrial.fixtures.predictions import reference_from_predictions
from seatrial.fixtures.sources.private.budget import LEDGER
from seatrial.io.files import atomic_write
from seatrial.project import Project
from seatrial.reference.provenance import PREDICTIONS, PROVES
from seatrial.reference.snapshot import Reference

Print = Callable[[str], object]


@dataclass(frozen=True)
class Workspace:
    """A project and the fixtures that it declares.

    Attributes:
        project: the project.
        declared: its ``fixtures.toml``.
        home: the directory of all its fixtures.
    """

    project: Project
    declared: spec.Fixtures
    home: Path

    @classmethod
    def find(cls, directory: str | Path) -> Workspace:
        """Read the project at ``directory`` or above it; FixtureError if its ``fixtures.toml`` cannot be used."""
        project = Project.find(directory)
        project.activate()
        file = project.expectations / spec_file.FILE
        declared = spec_file.read(file)
        if not declared.fixtures:
            raise FixtureError(f"{file} declares no fixture. Add a table [fixtures.<name>].")
        return cls(project, declared, project.root / declared.storage.directory)

    def named(self, name: str | None) -> list[spec.FixtureSpec]:
        """Return one fixture, or all of them; FixtureError with the nearest name."""
        return [self.declared[name]] if name is not None else list(self.declared.fixtures.values())


def make(
    directory: str | Path, name: str | None, out: Print, *, model_uri: str | None = None, predict_uri: str | None = None
) -> int:
    """Generate a fixture, or all declared ones, and store them with the model.

    Args:
        directory: the project's.
        name: of one fixture; None for all.
        out: prints a line.
        model_uri: the version whose reference is imitated, and which then refers to the fixtures; by default that of
            ``predict_uri``.
        predict_uri: the version whose predictions become the fixtures' reference.
    """
    workspace = Workspace.find(directory)
    chosen = workspace.named(name)
    with _reference(model_uri or predict_uri) as (version, reference):
        for declared in chosen:
            made = making.make(declared, workspace.home, reference=reference, budget=workspace.declared.budget)
            _ignore(workspace)
            out(fixture.show(made.root))
            if version is not None and store.supports(version):
                link = store.store(made, version)
                out(f"  stored     {version.uri} refers to {link.path} of run {link.run_id}")
            elif version is not None:
                out(f"  not stored with the model: the registry of '{version.scheme}:' stores no fixtures")
    if predict_uri is not None:
        _predict(workspace, chosen, predict_uri, out)
    return EXIT_PASS


def check(directory: str | Path, name: str | None, out: Print, *, model_uri: str | None = None) -> int:
    """Regenerate fixtures in a temporary directory and report drift, which returns 2; it is no model failure.

    A fixture that is too large for version control, and so not in the project, is downloaded from the version.
    """
    workspace = Workspace.find(directory)
    same = True
    with _reference(model_uri) as (version, reference):
        links = store.referred(version) if version is not None and store.supports(version) else {}
        for declared in workspace.named(name):
            root = workspace.home / declared.name
            if version is not None and declared.name in links and not root.exists():
                store.fetch(version, declared.name, root)
            if not root.exists():
                raise FixtureError(f"There is no fixture at {root}. Generate it: {_command('make', declared)}")
            found = checking.check(root, reference=reference, declaration=declared)
            link = links.get(declared.name)
            if version is not None and link is not None and link.digest != found.digest:
                reason = f"{version.uri} refers to {link.digest[:19]}…, and this is {found.digest[:19]}…"
                found = replace(found, reasons=(*found.reasons, reason))
            if version is None and not found.ok and _imitates(declared):
                reason = f"to compare with the version it was generated from: {_command('check', declared)}"
                found = replace(found, reasons=(*found.reasons, reason))
            out(str(found))
            same = same and found.ok
    return EXIT_PASS if same else EXIT_INCONCLUSIVE


def show(directory: str | Path, name: str | None, out: Print) -> int:
    """Describe the fixtures: rows, provenance, privacy, similarity to the reference, and leakage."""
    workspace = Workspace.find(directory)
    for declared in workspace.named(name):
        root = workspace.home / declared.name
        if name is None and not root.exists():
            out(f"{declared.name}: {declared.source}, not generated yet. Generate it: {_command('make', declared)}")
            continue
        out(fixture.show(root))
        if (predicted := predictions_at(workspace.project, declared.name)).is_dir():
            source = Reference.load(predicted).manifest[PREDICTIONS]
            out(f"  predicted  by {source['by']}: proves {source['proves']}")
    return EXIT_PASS


def predictions_at(project: Project, name: str) -> Path:
    """Return the directory of the reference made of model predictions on a fixture."""
    return project.state / "fixtures" / name


def predicted_reference(directory: str | Path, name: str) -> Path:
    """Return the directory of a fixture's reference made of model predictions.

    Raises:
        UsageError: there is no such reference, or the fixture was made again since.
        FixtureError: no fixture of that name is declared, or it was not made.
    """
    workspace = Workspace.find(directory)
    declared = workspace.declared[name]
    root = predictions_at(workspace.project, declared.name)
    advice = f"Record predictions: seatrial fixtures make {name} --predict-with models:/NAME@ALIAS"
    if not root.is_dir():
        raise UsageError(f"Fixture '{name}' has no reference. {advice}")
    if (
        Reference.load(root).manifest[PREDICTIONS]["fixture_digest"]
        != fixture.Fixture.load(workspace.home / name).digest
    ):
        raise UsageError(f"Fixture '{name}' was made again after its reference. {advice}")
    return root


def _predict(workspace: Workspace, chosen: list[spec.FixtureSpec], uri: str, out: Print) -> None:
    version = registry.resolve(uri)
    pipeline = workspace.project.pipeline()
    policy = workspace.project.policy(pipeline)
    with tempfile.TemporaryDirectory(prefix="seatrial-predictions-") as scratch:
        by = registry.fetch(version, Path(scratch))
        by.reference.matches(pipeline)
        for declared in chosen:
            made = fixture.Fixture.load(workspace.home / declared.name)
            reference_from_predictions(made, by, pipeline, predictions_at(workspace.project, made.name), policy=policy)
            out(f"{made.name}: predictions of {version.uri} recorded as its reference; a pass proves {PROVES}.")


def _imitates(declared: spec.FixtureSpec) -> bool:
    """Return whether the fixture is generated from a version's reference."""
    return declared.source != "fake" or any(c.like or c.given for c in declared.columns.values())


def _command(name: str, declared: spec.FixtureSpec) -> str:
    """Return the command line that generates or checks the fixture."""
    model = " --model models:/NAME/VERSION" if _imitates(declared) else ""
    return f"seatrial fixtures {name} {declared.name}{model}"


@contextmanager
def _reference(uri: str | None) -> Iterator[tuple[registry.Version | None, Reference | None]]:
    """Yield the version and its reference, which is on this disk while the block runs."""
    if uri is None:
        yield None, None
        return
    version = registry.resolve(uri)
    with tempfile.TemporaryDirectory(prefix="seatrial-reference-") as scratch:
        yield version, registry.of(uri).reference(version, Path(scratch) / "reference")


def _ignore(workspace: Workspace) -> None:
    """Write fixtures that are too large for version control, and the lock, to the directory's ``.gitignore``."""
    most = workspace.declared.storage.max_git_mb
    limit = most * 1e6
    sizes = {
        p.parent.name: sum(f.stat().st_size for f in p.parent.iterdir()) for p in workspace.home.glob("*/manifest.json")
    }
    large = [f"/{name}/" for name, size in sorted(sizes.items()) if size > limit]
    head = f"# Written by 'seatrial fixtures make': larger than {most:g} MB, stored in the registry.\n"
    atomic_write(workspace.home / ".gitignore", (head + "\n".join([f"/.{LEDGER}.lock", *large]) + "\n").encode())
