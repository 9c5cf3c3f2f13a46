"""``seatrial kserve``: manifests that the API server takes, and traffic that is raised by ``verify`` alone."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.cli.kserve.command import Chosen, command, deployment, read_manifest
from seatrial.cli.kserve.manifests import Deployment, as_yaml, inference_service, service_name, smoke_test
from seatrial.cli.kserve.rollout import Means, roll_out, steps_of
from seatrial.errors import RegistryError, UsageError
from seatrial.promotion.chain import CannotTell
from seatrial.promotion.verify import Verification
from seatrial.registry import Version
from tests.support.kubernetes import problems
from tests.support.paths import ROOT

DIGEST = "sha256:" + "5ea7" * 16
PAYMENTS = Deployment(Version("payments", "1", 0, "", ""), DIGEST, "s3://models/payments/1")
OWN: dict[str, Any] = {
    "kind": "InferenceService",
    "metadata": {"name": "fraud", "labels": {"team": "risk"}, "annotations": {"owner": "ann"}},
    "spec": {
        "predictor": {
            "minReplicas": 1,
            "canaryTrafficPercent": 100,
            "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/old"},
        },
        "transformer": {"containers": [{"name": "kserve-container", "image": "registry.example/features:3"}]},
    },
}


@pytest.mark.parametrize("base", [None, OWN])
@pytest.mark.parametrize("percent", [0, 10, 100])
def test_the_manifests_are_valid(base: dict[str, Any] | None, percent: int) -> None:
    """By the schema of the custom resource and that of a Job; a misspelt field is refused."""
    deployed = Deployment(**{**vars(PAYMENTS), "base": base})
    made, job = inference_service(deployed, percent), smoke_test(deployed)
    assert problems(made) == []
    assert problems(job) == []
    made["spec"]["predictor"]["canaryTrafficPercnt"] = made["spec"]["predictor"].pop("canaryTrafficPercent")
    job["spec"]["template"]["spec"]["containers"][0]["envfrom"] = []
    assert len(problems(made)) == len(problems(job)) == 1


def test_the_example_is_what_is_rendered() -> None:
    """``deployments/kserve.yaml`` is the first step of the payments example."""
    text = (ROOT / "deployments" / "kserve.yaml").read_text(encoding="utf-8")
    shown = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    assert shown == as_yaml(inference_service(PAYMENTS, 0), smoke_test(PAYMENTS))


def test_a_step_changes_the_share_and_nothing_else() -> None:
    """Another annotation would make Knative start another revision, which would begin without traffic."""
    shares = []
    for base in (None, OWN):
        made = [inference_service(Deployment(**{**vars(PAYMENTS), "base": base}), percent) for percent in (10, 50)]
        shares.append([[spec.pop("canaryTrafficPercent") for spec in each["spec"].values()] for each in made])
        assert made[0] == made[1]
    assert shares == [[[10], [50]], [[10, 10], [50, 50]]]


def test_what_a_manifest_says_is_kept() -> None:
    """Its name, labels, annotations, replicas and transformer; the version, the share and the mode are set."""
    before = deepcopy(OWN)
    deployed = Deployment(**{**vars(PAYMENTS), "base": OWN})
    made = inference_service(deployed, 10)
    assert before == OWN
    assert made["metadata"]["labels"] == {"team": "risk"}
    assert made["metadata"]["annotations"] == {
        "owner": "ann", "serving.kserve.io/deploymentMode": "Knative", "serving.kserve.io/enable-tag-routing": "true",
        "seatrial.version": "models:/payments/1", "seatrial.subject_digest": DIGEST,
    }  # fmt: skip
    assert made["spec"]["predictor"] == {
        "canaryTrafficPercent": 10, "minReplicas": 1,
        "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/payments/1"},
    }  # fmt: skip
    (container,) = smoke_test(deployed)["spec"]["template"]["spec"]["containers"]
    assert container["args"][-1] == "http://latest-fraud-transformer.default.svc.cluster.local"


def test_a_mode_that_ignores_the_share_is_refused() -> None:
    """In Standard mode the candidate would get all traffic at once."""
    for mode in ("Standard", "RawDeployment"):
        base = {**OWN, "metadata": {"annotations": {"serving.kserve.io/deploymentMode": mode}}}
        with pytest.raises(UsageError, match="all traffic at once"):
            inference_service(Deployment(**{**vars(PAYMENTS), "base": base}), 0)


@pytest.mark.parametrize(
    ("name", "made"), [("Fraud_EU", "fraud-eu"), ("team.ranker", "team-ranker"), ("7up", ""), ("x" * 41, ""), ("é", "")]
)
def test_a_models_name_becomes_that_of_a_service(name: str, made: str) -> None:
    """Or is refused, with what to write."""
    deployed = Deployment(Version(name, "1", 0, "", ""), DIGEST, "")
    if made:
        assert service_name(deployed) == made
    else:
        with pytest.raises(UsageError, match="--manifest"):
            service_name(deployed)


@pytest.mark.parametrize(("text", "current"), [("10,10", None), ("50,10", None), ("10", 10), ("0", 50)])
def test_a_step_that_does_not_rise_is_refused(text: str, current: int | None) -> None:
    """With how traffic is taken away."""
    with pytest.raises(UsageError, match="kubectl patch"):
        steps_of(text, current)


@pytest.mark.parametrize("text", ["", "ten", "101", "-1", "1.5", "10,,20", "1²"])
def test_a_step_that_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="whole numbers from 0 to 100"):
        steps_of(text)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "cannot be read"),
        ("kind: Deployment", "found: Deployment"),
        ("kind: InferenceService\n---\nkind: InferenceService", "found: InferenceService, InferenceService"),
        ("kind: InferenceService\nspec: {predicter: {}}", "Fields of spec: predicter"),
        ("kind: InferenceService\nmetadata: 1\nspec: {predictor: {}}", "metadata is no mapping"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        read_manifest(write(tmp_path / "own.yaml", text))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"step": "0,10"}, "Add --apply"),
        ({"wait": -1.0}, "--wait -1"),
        ({"apply": "kubectl 'apply"}, "Quote it"),
        ({"check": " "}, "--check is empty"),
    ],
)
def test_options_that_cannot_be_used_are_refused_first(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    """Before a project is looked for."""
    with pytest.raises(UsageError, match=said):
        command(tmp_path, "models:/payments/1", Chosen(), **{"step": "0", **options})


IMAGE: dict[str, Any] = {"spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "own:1"}]}}}


@pytest.mark.parametrize(
    ("chosen", "base", "said"),
    [
        (Chosen(), None, "it is missing"),
        (Chosen("models:/payments/1"), None, "is no address that KServe loads from"),
        (Chosen("mlflow-artifacts:/1/model"), OWN, "is no address that KServe loads from"),
        (Chosen("s3://ann:k-77d1c2@models/1"), None, "as a Secret"),
        (Chosen("https://k-77d1c2@models.example/1"), None, "as a Secret"),
        (Chosen("s3://models/1", target="https://ann:k-77d1c2@canary.example"), None, "as a Secret"),
        (Chosen("s3://models/1"), IMAGE, "has no 'model'"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(chosen: Chosen, base: dict[str, Any] | None, said: str) -> None:
    """Without repeating what may be secret in it."""
    with pytest.raises(UsageError, match=said) as refused:
        deployment(PAYMENTS.version, chosen, base)
    assert "k-77d1c2" not in str(refused.value)


def test_a_model_in_an_image_needs_no_storage() -> None:
    """The namespace is the manifest's; a version's name and number fill the address."""
    own = {**IMAGE, "metadata": {"name": "fraud", "namespace": "risk"}}
    made = deployment(PAYMENTS.version, Chosen(), own)
    assert made.namespace == "risk"
    assert problems(inference_service(made, 10)) == []
    filled = deployment(PAYMENTS.version, Chosen("s3://m/{name}/{version}", namespace="shop"), OWN)
    assert (filled.storage, filled.namespace) == ("s3://m/payments/1", "shop")


class Played:
    """Means that answer in turn, and record what is applied."""

    def __init__(self, *answers: bool | Exception | str | Verification, checks: tuple[int, ...] = ()) -> None:
        self.answers, self.checks = list(answers), list(checks)
        self.given: list[tuple[int, str]] = []
        self.said: list[str] = []
        self.waited = 0
        self.broken = False

    def verify(self) -> Verification:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Verification):
            return answer
        return Verification(bool(answer), "Why.", answer if isinstance(answer, str) else DIGEST)

    def apply(self, percent: int, digest: str) -> None:
        if self.broken:
            raise UsageError("It ended with exit code 1.")
        self.given.append((percent, digest))

    def pause(self) -> None:
        self.waited += 1

    def run(self, text: str, current: int | None = None) -> int:
        check: Callable[[], int] = lambda: self.checks.pop(0) if self.checks else 0  # noqa: E731
        withdraw: Callable[[str], None] = lambda digest: self.apply(0, digest)  # noqa: E731
        means = Means(self.verify, self.apply, withdraw, check, self.pause, self.said.append)
        return roll_out(steps_of(text, current), means, current)

    @property
    def shares(self) -> list[int]:
        return [percent for percent, _ in self.given]


def test_each_step_is_verified() -> None:
    """And waited for; nothing is verified twice."""
    played = Played(True, True, True)
    assert (played.run("10,50,100"), played.shares, played.waited, played.answers) == (0, [10, 50, 100], 2, [])


def test_a_failure_in_the_middle_rolls_back() -> None:
    """To 0, with the digest that was deployed: another one would be another revision."""
    played = Played(True, True, Verification(False, "Its files changed.", "sha256:others"))
    assert played.run("10,50,100") == 1
    assert played.given == [(10, DIGEST), (50, DIGEST), (0, DIGEST)]


@pytest.mark.parametrize("error", [CannotTell("A head is missing."), RegistryError("It does not answer.")])
def test_what_cannot_be_told_never_raises_the_share(error: Exception) -> None:
    """The share stays, and is named."""
    played = Played(True, error)
    assert (played.run("10,50"), played.shares) == (2, [10])
    assert played.said[-2:] == [str(error), "Its share of the traffic stays at 10 %."]


def test_a_failure_of_the_first_step_deploys_nothing() -> None:
    """To roll back would deploy it, and a new service gets all traffic; one that has traffic is rolled back."""
    fresh, deployed, unknown = Played(False), Played(False), Played(CannotTell("Why."))
    assert (fresh.run("10"), fresh.shares) == (1, [])
    assert (deployed.run("50", current=10), deployed.shares) == (1, [0])
    assert (unknown.run("50", current=10), unknown.shares) == (2, [])


def test_files_that_changed_begin_again() -> None:
    """Though they passed: they would get the next share as if they had had the ones before."""
    played = Played("sha256:a", "sha256:b")
    assert (played.run("10,50"), played.shares) == (2, [10])


@pytest.mark.parametrize(("code", "ends", "shares"), [(0, 0, [0, 10]), (1, 1, [0]), (2, 2, [0]), (127, 2, [0])])
def test_a_check_stands_before_a_step(code: int, ends: int, shares: list[int]) -> None:
    """Not before the first of a version that is not deployed."""
    played = Played(True, True, checks=(code,))
    assert (played.run("0,10"), played.shares, played.checks) == (ends, shares, [])


def test_a_check_that_fails_takes_traffic_away() -> None:
    played = Played(True, True, checks=(1,))
    assert (played.run("10,50"), played.shares) == (1, [10, 0])


def test_a_rollback_that_cannot_be_applied_is_said() -> None:
    """The version failed, and the user must act."""
    played = Played(True, False)
    played.broken = False
    played.pause = lambda: setattr(played, "broken", True)  # type: ignore[method-assign]
    assert (played.run("10,50"), played.shares) == (1, [10])
    assert "still has traffic: at most 10 %" in played.said[-1]


@pytest.mark.parametrize(("current", "said"), [(None, "is 10 %, or it is not deployed"), (5, "is 5 %, or 10 %")])
def test_a_share_that_cannot_be_applied_ends_the_rollout(current: int | None, said: str) -> None:
    """What the share is now is not known: the command may have failed before or after."""
    played = Played(True, True)
    played.broken = True
    with pytest.raises(UsageError, match=said):
        played.run("10,50", current)


def test_lists_are_indented() -> None:
    """As linters of YAML want them, and they are read back as they were."""
    job = smoke_test(PAYMENTS)
    assert yaml.safe_load(as_yaml(job)) == job
    assert "          args:\n            - seatrial\n" in as_yaml(job)
