"""A checkout with an empty ledger believes trusted, fresh signatures, and validates everything else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial import registry
from seatrial.cli.app import main
from seatrial.events import Outcome
from seatrial.ledger import Ledger, identity
from seatrial.project import Project
from seatrial.promotion.aliases import check_aliases
from seatrial.promotion.head import TAG
from seatrial.promotion.keyring import PUBLIC_KEY
from tests.support.trust import Trusted, own_environment


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trusted]:
    """A project with a version that passed and one that failed, on an MLflow store that outlives the checkout."""
    with own_environment():
        made = Trusted(tmp_path_factory.mktemp("fresh") / "project")
        made.validate(made.register("trusted"))
        made.validate(made.register("trusted"), Outcome.FAIL)
        yield made


@pytest.fixture
def checkout(trusted: Trusted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trusted:
    """The same project in a new folder: no ledger, no key of its own, the ring of public keys from elsewhere."""
    fresh = Trusted.__new__(Trusted)
    fresh.root = tmp_path / "checkout"
    shutil.copytree(trusted.root, fresh.root, ignore=shutil.ignore_patterns(".seatrial", "__pycache__"))
    fresh.project = Project.find(fresh.root)
    ring = tmp_path / "ring"
    ring.mkdir()
    for key in (trusted.project.state / "keys").glob("*.pub"):
        shutil.copy(key, ring)
    monkeypatch.setenv(PUBLIC_KEY, str(ring))
    return fresh


def reconciled(checkout: Trusted, uri: str) -> tuple[list[str], list[str]]:
    """Return what reconciling says of a version, and what it validated."""
    validated: list[str] = []
    said = checkout.reconcile(uri, lambda job: validated.append(job.uri))
    return said, [each for each in validated if each == uri]


def test_signed_verdicts_are_believed_instead_of_repeated(
    checkout: Trusted, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pass and a fail stay what they are, the aliases are authorised, and 'verify' says the same as before."""
    passed, validated = reconciled(checkout, "models:/trusted/1")
    assert validated == []
    assert "models:/trusted/1: pass, by its signed verdict" in passed[0]
    with Ledger.of(checkout.project.state) as ledger:
        assert ledger.relies(identity(registry.resolve("models:/trusted/1")))
        assert check_aliases(ledger, checkout.project) == []
        assert ledger.verdicts("trusted") == []
    for uri, code in (("models:/trusted/1", 0), ("models:/trusted/2", 1)):
        with pytest.raises(SystemExit) as ended:
            main(["verify", uri, "--project", str(checkout.root)])
        assert ended.value.code == code, capsys.readouterr()


@pytest.mark.parametrize("change", ["no key", "code", "policy", "no head", "statement gone"])
def test_whatever_is_not_certain_is_validated(
    checkout: Trusted, change: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Tags alone are no proof: without a key, under other code or another policy, or without a head."""
    version = registry.resolve("models:/trusted/1")
    if change == "no key":
        monkeypatch.delenv(PUBLIC_KEY)
    elif change == "code":
        checkout.edit("serving/service.py", "ANSWERS = 2\n")
    elif change == "policy":
        checkout.edit("expectations/service.toml", '[promotion]\nalias = "best"\n')
    elif change == "no head":
        registry.of(version.uri).annotate(version, {TAG: "{}"})
    else:
        from seatrial.promotion import elsewhere

        monkeypatch.setattr(elsewhere, "chain_of", lambda *_: (_ for _ in ()).throw(elsewhere.CannotTell("gone")))
    try:
        _, validated = reconciled(checkout, "models:/trusted/1")
    finally:
        registry.of(version.uri).annotate(version, {TAG: version.tags[TAG]})
    assert validated == ["models:/trusted/1"]
