"""``seatrial verify`` for a deploy script: 0, 1 or 2, and nothing that anyone can write to MLflow makes it 0."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seatrial.events import Evaluated, Outcome, Subject, Verdict
from seatrial.io.bundle import directory_digest
from seatrial.policy.policy import policy_digest
from seatrial.project import Project
from seatrial.promotion import attestation
from seatrial.registry.mlflow.client import client

Command = Callable[..., Any]
NAME = "signed"


class Shop:
    """A project of its own on the session's registry, with one more version at each call."""

    def __init__(self, payments: Project, root: Path) -> None:
        shutil.copytree(payments.root, root, ignore=shutil.ignore_patterns(".seatrial", "__pycache__"))
        self.project, self.root = Project.find(root), root

    def register(self, content: str = "weights", name: str = NAME) -> Any:
        """Register a version whose model is one file."""
        registry = client()
        files = self.root / "files"
        files.mkdir(exist_ok=True)
        (files / "weights.txt").write_text(content)
        experiment = registry.get_experiment_by_name("training")
        run = registry.create_run(experiment.experiment_id if experiment else registry.create_experiment("training"))
        registry.log_artifacts(run.info.run_id, str(files), "model")
        if not registry.search_registered_models(f"name = '{name}'"):
            registry.create_registered_model(name)
        return registry.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)

    def verdict(self, version: Any, outcome: Outcome = Outcome.PASS) -> Verdict:
        """Return a verdict of a version as it is now, under the policy as it is now."""
        digest = directory_digest(Path(client().get_model_version_download_uri(version.name, version.version)))
        subject = Subject(version.name, str(version.version), "here", version.creation_timestamp, digest)
        policy = policy_digest(self.project.expectations)
        evaluated = (Evaluated("golden", "raw", 5),)
        return Verdict(
            outcome, subject, ("raw",), (), (), evaluated, (), policy_digest=policy, reference_digest="sha256:0"
        )

    def store(self, version: Any, envelope: bytes) -> None:
        """Store an envelope with a version."""
        registry, name = client(), f"seatrial/{version.name}"
        experiment = registry.get_experiment_by_name(name)
        run = registry.create_run(experiment.experiment_id if experiment else registry.create_experiment(name))
        registry.log_param(run.info.run_id, "version", version.version)
        file = self.root / attestation.FILE
        file.write_bytes(envelope)
        registry.log_artifact(run.info.run_id, str(file))

    def sign(self, verdict: Verdict) -> bytes:
        return attestation.envelope(verdict, self.project.state)


@pytest.fixture(scope="module")
def shop(payments: Project, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(payments, tmp_path_factory.mktemp("verify") / "project")
    attestation.signing_key(shop.project.state)
    return shop


@pytest.fixture
def verify(shop: Shop, seatrial: Command) -> Command:
    """Verify a version; return exit code and output."""

    def ask(version: Any) -> tuple[int, str]:
        uri = version if isinstance(version, str) else f"models:/{version.name}/{version.version}"
        ran = seatrial("verify", uri, "--project", shop.root)
        return ran.code, " ".join((ran.out + ran.err).split())

    return ask


def test_a_signed_pass_of_this_content_under_this_policy_is_a_yes(shop: Shop, verify: Command) -> None:
    """Until the files are overwritten, or the policy is changed; back as they were, it is a yes again."""
    version = shop.register("content of its own")
    shop.store(version, shop.sign(shop.verdict(version)))
    client().set_registered_model_alias(NAME, "champion", version.version)
    assert verify(f"models:/{NAME}@champion")[0] == 0
    weights = Path(client().get_model_version_download_uri(NAME, version.version)) / "weights.txt"
    weights.write_text("other weights")
    code, words = verify(f"models:/{NAME}@champion")
    assert (code, "are not those that were validated" in words) == (1, True)
    weights.write_text("content of its own")
    policy = shop.project.expectations / "service.toml"
    before = policy.read_text()
    policy.write_text(before + "\n# a comment is a change too\n")
    code, words = verify(version)
    assert (code, "under another policy" in words) == (1, True)
    policy.write_text(before)
    assert verify(version)[0] == 0


def test_tags_and_aliases_set_by_hand_are_nothing(shop: Shop, verify: Command) -> None:
    """Every tag that a pass would write, and no signed verdict."""
    version = shop.register()
    tags = {"verdict": "pass", "subject_digest": shop.verdict(version).subject.digest, "run_id": version.run_id}
    for tag, value in tags.items():
        client().set_model_version_tag(NAME, version.version, f"seatrial.{tag}", value)
    client().set_registered_model_alias(NAME, "validated", version.version)
    code, words = verify(f"models:/{NAME}@validated")
    assert (code, "has no signed verdict" in words, "seatrial validate" in words) == (1, True, True)


def test_signatures_of_others_and_of_other_versions_are_nothing(shop: Shop, verify: Command, tmp_path: Path) -> None:
    """Another key, invalid content, and our own signature under a version of the same content."""
    first, second = shop.register("same"), shop.register("same")
    shop.store(second, attestation.envelope(shop.verdict(second), tmp_path / "other"))
    shop.store(second, b"{}")
    shop.store(second, b"x" * (attestation.MAX_BYTES + 1))
    shop.store(second, shop.sign(shop.verdict(first)))
    code, words = verify(second)
    assert (code, "of another version" in words, "signed by another key" in words) == (1, True, True)


def test_a_version_made_anew_under_the_same_number_needs_its_own(shop: Shop, verify: Command) -> None:
    """The content and the number are the same; the creation is not."""
    version = shop.register("again", name="remade")
    envelope = shop.sign(shop.verdict(version))
    shop.store(version, envelope)
    assert verify(version)[0] == 0
    client().delete_registered_model("remade")
    anew = shop.register("again", name="remade")
    assert anew.version == version.version
    assert verify(anew)[0] == 1


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [("fail", 1), ("error", 1), ("inconclusive", 1), ("pass fail", 1), ("fail pass", 0), ("pass error", 0)],
)
def test_the_newest_verdict_that_decided_counts(shop: Shop, verify: Command, outcomes: str, code: int) -> None:
    """Newest by what was signed, not by when it was stored: the runs are stored in the wrong order."""
    version, envelopes = shop.register(outcomes), []
    for second, outcome in enumerate(outcomes.split()):
        verdict = replace(shop.verdict(version), outcome=Outcome(outcome))
        envelopes.append(attestation.envelope(verdict, shop.project.state, evaluated=1_700_000_000_000 + second))
    for envelope in reversed(envelopes):
        shop.store(version, envelope)
    assert verify(version)[0] == code


def test_what_cannot_be_verified_is_2(shop: Shop, verify: Command, payments: Project, seatrial: Command) -> None:
    """No such version, and no key to verify with."""
    code, words = verify(f"models:/{NAME}/999")
    assert (code, "no version '999'" in words) == (2, True)
    ran = seatrial("verify", "models:/payments/1", "--project", shop.root.parent)
    assert ran.code == 2
    (shop.project.state / "keys" / "verdict.pub").rename(shop.root / "away.pub")
    try:
        code, words = verify(f"models:/{NAME}/1")
        assert (code, "no public key" in words) == (2, True)
    finally:
        (shop.root / "away.pub").rename(shop.project.state / "keys" / "verdict.pub")
