"""A project whose registry is Kubeflow's: verdicts read by its facade, promotion, polling, and what 'verify' says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seatrial.events import Outcome
from seatrial.promotion.verify import verify
from seatrial.reference.snapshot import Reference
from tests.support.kubeflow_team import SCHEME, Team, team
from tests.support.trust import Trusted, own_environment

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Trusted, Team]]:
    """A project without a tracker, and an empty registry."""
    root = tmp_path_factory.mktemp("kubeflow")
    with own_environment(), team(root / "storage") as registry:
        trusted = Trusted(root / "project")
        settings = (trusted.root / "pyproject.toml").read_text(encoding="utf-8")
        trusted.edit("pyproject.toml", f'{settings}registry = "{SCHEME}"\n')
        (trusted.root / "model").mkdir()
        (trusted.root / "model" / "weight.json").write_text("2.0", encoding="utf-8")
        yield trusted, registry


def registered(trusted: Trusted, registry: Team, version: str) -> str:
    """Register a version of the project's model; return its URI."""
    reference = Reference.load(trusted.root / "reference")
    identity = registry.register("trusted", trusted.root / "model", reference, version=version)
    return f"{SCHEME}:/trusted/{identity}"


def test_each_verdict_is_read_by_the_registrys_own_facade(both: tuple[Trusted, Team]) -> None:
    """Pass, fail and inconclusive; the alias is on the one that passed, and a later fail leaves it there."""
    trusted, registry = both
    for number, outcome in enumerate((Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE)):
        uri = registered(trusted, registry, f"r{number}")
        verdict = trusted.validate(uri, outcome)
        found: Any = registry.read("trusted", f"r{number}")
        assert found.custom_properties["seatrial.verdict"] == outcome.value
        assert found.custom_properties["seatrial"].startswith(outcome.value)
        assert found.custom_properties["seatrial.policy_digest"] == verdict.policy_digest
        assert found.description.startswith(f"seatrial: {outcome.value} · trusted {found.id}")
        assert "seatrial.run_id" not in found.custom_properties
        assert verify(trusted.root, uri).allowed is (outcome is Outcome.PASS)
    held = registry.theirs.get_registered_model("trusted").custom_properties
    assert held == {"alias.champion": "r0", "alias.validated": "r0"}


def test_a_new_version_is_found_by_polling_and_its_files_are_hashed_again(
    both: tuple[Trusted, Team], tmp_path: Path
) -> None:
    """One version, one validation; a model whose files change before its alias moves is not promoted."""
    trusted, registry = both
    uri = registered(trusted, registry, "polled")
    assert trusted.reconcile(uri) != []
    properties = registry.read("trusted", "polled").custom_properties
    assert properties["seatrial.verdict"] == "pass"
    assert trusted.reconcile(uri) == []
    assert registry.theirs.get_registered_model("trusted").custom_properties["alias.champion"] == "polled"
    (registry.storage / "trusted" / "polled" / "weight.json").write_text("3.0", encoding="utf-8")
    assert verify(trusted.root, uri).exit_code == 1
