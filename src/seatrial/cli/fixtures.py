"""What ``seatrial fixtures`` does: make what is declared, make it again to see whether it is the same, show it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from seatrial import registry
from seatrial.errors import EXIT_INCONCLUSIVE, EXIT_PASS, FixtureError, UsageError
from seatrial.fixtures import label, spec, spec_file, store
from seatrial.fixtures import make as fixture
from seatrial.fixtures.sources.private.budget import LEDGER
from seatrial.io.files import atomic_write
from seatrial.project import Project
from seatrial.reference.provenance import PROVES
from seatrial.reference.snapshot import Reference

FILE = "fixtures.toml"
Tell = Callable[[str], object]


@dataclass(frozen=True)
class Workspace:
    """A project with what it declares.

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
        """Read the project at ``directory`` or above it; FixtureError says what its ``fixtures.toml`` lacks."""
        project = Project.find(directory)
        project.activate()
        declared = spec_file.read(project.expectations / FILE)
        if not declared.fixtures:
            raise FixtureError(f"{project.expectations / FILE} declares no fixture. Add a table [fixtures.<name>].")
        return cls(project, declared, project.root / declared.keep.directory)

    def named(self, name: str | None) -> list[spec.FixtureSpec]:
        """Return one fixture, or all of them; FixtureError with the nearest name."""
        return [self.declared[name]] if name is not None else list(self.declared.fixtures.values())


def make(
    directory: str | Path, name: str | None, tell: Tell, *, model_uri: str | None = None, label_uri: str | None = None
) -> int:
    """Make a fixture, or all that are declared, and store them beside the model.

    Args:
        directory: the project's.
        name: of one fixture; None for all.
        tell: hears what a person wants to know.
        model_uri: the version whose reference is imitated, and which refers to the fixtures from then on; by default
            the one that labels.
        label_uri: the version whose answers become the fixtures' reference.
    """
    ground = Workspace.find(directory)
    wanted = ground.named(name)
    with _reference(model_uri or label_uri) as (version, reference):
        for declared in wanted:
            made = fixture.make(declared, ground.home, reference=reference, budget=ground.declared.budget)
            _ignore(ground)
            tell(fixture.show(made.root))
            if version is not None and store.keeps(version):
                link = store.store(made, version)
                tell(f"  stored     {version.uri} refers to {link.path} of run {link.run_id}")
            elif version is not None:
                tell(f"  not stored beside the model: the registry of '{version.scheme}:' keeps no fixtures")
    if label_uri is not None:
        _label(ground, wanted, label_uri, tell)
    return EXIT_PASS


def check(directory: str | Path, name: str | None, tell: Tell, *, model_uri: str | None = None) -> int:
    """Make fixtures again, elsewhere, and say whether they are the same; 2 for drift, which is no fault of a model.

    A fixture that is not in the project, because it is too large for version control, is taken from the version.
    """
    ground = Workspace.find(directory)
    same = True
    with _reference(model_uri) as (version, reference):
        links = store.referred(version) if version is not None and store.keeps(version) else {}
        for declared in ground.named(name):
            root = ground.home / declared.name
            if version is not None and declared.name in links and not root.exists():
                store.fetch(version, declared.name, root)
            found = fixture.check(root, reference=reference, wanted=declared)
            link = links.get(declared.name)
            if version is not None and link is not None and link.digest != found.digest:
                words = f"{version.uri} refers to {link.digest[:19]}…, and this is {found.digest[:19]}…"
                found = replace(found, reasons=(*found.reasons, words))
            tell(str(found))
            same = same and found.ok
    return EXIT_PASS if same else EXIT_INCONCLUSIVE


def show(directory: str | Path, name: str | None, tell: Tell) -> int:
    """Say what fixtures there are, how they were made, what they cost and how good they are."""
    ground = Workspace.find(directory)
    for declared in ground.named(name):
        root = ground.home / declared.name
        if name is None and not root.exists():
            tell(
                f"{declared.name}: {declared.source}, not made. Make it with 'seatrial fixtures make {declared.name}'."
            )
            continue
        tell(fixture.show(root))
        if (labelled := labelled_at(ground.project, declared.name)).is_dir():
            said = Reference.load(labelled).manifest["labelled"]
            tell(f"  labelled   by {said['by']}: proves {said['proves']}")
    return EXIT_PASS


def labelled_at(project: Project, name: str) -> Path:
    """Return where the reference lies that a version's answers on a fixture make."""
    return project.state / "fixtures" / name


def labelled(directory: str | Path, name: str) -> Path:
    """Return the directory of a labelled fixture; UsageError when it is not labelled, or was made anew since.

    Raises:
        FixtureError: nothing of that name is declared, or it was not made.
    """
    ground = Workspace.find(directory)
    declared = ground.declared[name]
    root = labelled_at(ground.project, declared.name)
    again = f"Label it with 'seatrial fixtures make {name} --label models:/NAME@ALIAS'."
    if not root.is_dir():
        raise UsageError(f"Fixture '{name}' has no answers to compare with. {again}")
    if Reference.load(root).manifest["labelled"]["fixture_digest"] != fixture.Fixture.load(ground.home / name).digest:
        raise UsageError(f"Fixture '{name}' was made anew since it was labelled. {again}")
    return root


def _label(ground: Workspace, wanted: list[spec.FixtureSpec], uri: str, tell: Tell) -> None:
    version = registry.resolve(uri)
    pipeline = ground.project.pipeline()
    policy = ground.project.policy(pipeline)
    with tempfile.TemporaryDirectory(prefix="seatrial-label-") as scratch:
        by = registry.fetch(version, Path(scratch))
        by.reference.matches(pipeline)
        for declared in wanted:
            made = fixture.Fixture.load(ground.home / declared.name)
            label.label(made, by, pipeline, labelled_at(ground.project, made.name), policy=policy)
            tell(f"{made.name}: labelled by {version.uri}: proves {PROVES}")


@contextmanager
def _reference(uri: str | None) -> Iterator[tuple[registry.Version | None, Reference | None]]:
    """Yield the version and its reference, on this disk for as long as the block lasts."""
    if uri is None:
        yield None, None
        return
    version = registry.resolve(uri)
    with tempfile.TemporaryDirectory(prefix="seatrial-reference-") as scratch:
        yield version, registry.of(uri).fetch_reference(version, Path(scratch) / "reference")


def _ignore(ground: Workspace) -> None:
    """List what is too large for version control, and the lock, in the directory's ``.gitignore``."""
    limit = ground.declared.keep.megabytes * 1e6
    sizes = {
        p.parent.name: sum(f.stat().st_size for f in p.parent.iterdir()) for p in ground.home.glob("*/manifest.json")
    }
    large = [f"/{name}/" for name, size in sorted(sizes.items()) if size > limit]
    said = (
        f"# Written by 'seatrial fixtures make': larger than {ground.declared.keep.megabytes:g} MB, kept in MLflow.\n"
    )
    atomic_write(ground.home / ".gitignore", (said + "\n".join([f"/.{LEDGER}.lock", *large]) + "\n").encode())
