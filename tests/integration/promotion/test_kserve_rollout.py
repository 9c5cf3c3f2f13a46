"""A rollout on KServe, played with a recorder in the place of kubectl: ``verify`` stands before every step."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from seatrial import registry
from seatrial.cli.app import main
from seatrial.cli.kserve import command as kserve
from seatrial.events import Outcome
from seatrial.io.bundle import directory_digest
from seatrial.promotion import head
from seatrial.registry.mlflow.client import client
from tests.integration.promotion.test_verify import Hide, hide, trusted, uri
from tests.support.kubernetes import problems
from tests.support.trust import Trusted

__all__ = ["hide", "trusted", "uri"]
RECORDER = "import sys; open(sys.argv[1], 'a', encoding='utf-8').write('---\\n' + sys.stdin.read())"
STORAGE = ["--storage-uri", "s3://models/{name}/{version}"]


class Cluster:
    """What was applied, as the recorder wrote it down, and what happens between two steps."""

    def __init__(self, root: Path, file: Path, patch: pytest.MonkeyPatch) -> None:
        self.root, self.file, self.patch = root, file, patch
        self.apply = shlex.join([sys.executable, "-c", RECORDER, str(file)])

    def roll_out(self, uri: str, *meanwhile: Callable[[], Any], **options: str) -> tuple[int, list[int]]:
        """Raise the share to 10, 50 and 100; return the exit code and the shares that were applied."""
        events = list(meanwhile)
        self.patch.setattr(kserve, "time", SimpleNamespace(sleep=lambda _: events and events.pop(0)()))
        given = {"step": "10,50,100", "apply": self.apply, **options}
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        with pytest.raises(SystemExit) as ended:
            main(["kserve", uri, *STORAGE, *words, "--project", str(self.root)])
        return int(ended.value.code or 0), [each["spec"]["predictor"]["canaryTrafficPercent"] for each in self.applied]

    @property
    def applied(self) -> list[dict[str, Any]]:
        text = self.file.read_text(encoding="utf-8") if self.file.exists() else ""
        return [each for each in yaml.safe_load_all(text) if each]


@pytest.fixture
def cluster(trusted: Trusted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(trusted.root, tmp_path / "applied.yaml", monkeypatch)


def weights(uri: str) -> Path:
    version = registry.resolve(uri)
    return Path(client().get_model_version_download_uri(version.name, version.number)) / "weight.json"


def test_a_version_that_passed_gets_all_traffic_step_by_step(trusted: Trusted, uri: str, cluster: Cluster) -> None:
    """Each manifest is valid, and says which files were verified."""
    trusted.validate(uri)
    assert cluster.roll_out(uri) == (0, [10, 50, 100])
    (digest,) = {each["metadata"]["annotations"]["seatrial.subject_digest"] for each in cluster.applied}
    assert digest == directory_digest(weights(uri).parent)
    assert [problems(each) for each in cluster.applied] == [[], [], []]
    assert cluster.applied[0]["spec"]["predictor"]["model"]["storageUri"] == f"s3://models/{uri.split(':/')[1]}"


def test_a_fail_in_the_middle_rolls_back(trusted: Trusted, uri: str, cluster: Cluster) -> None:
    """Whatever the tags say by then."""

    def fails_and_is_forged() -> None:
        trusted.validate(uri, Outcome.FAIL)
        forge(uri)

    trusted.validate(uri)
    assert cluster.roll_out(uri, lambda: None, fails_and_is_forged) == (1, [10, 50, 0])


def forge(uri: str) -> None:
    """Write all that a pass would write into the registry, without a signature."""
    version = registry.resolve(uri)
    tags = {"seatrial": "pass", "seatrial.verdict": "pass", "seatrial.run_id": version.run_id}
    registry.of(uri).annotate(version, tags)
    client().set_registered_model_alias(version.name, "validated", version.number)


def test_a_forged_tag_raises_nothing(
    uri: str, cluster: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """Nothing is applied, and nothing printed that could be."""
    forge(uri)
    alias = f"models:/{uri.split('/')[1]}@validated"
    assert cluster.roll_out(alias) == (1, [])
    with pytest.raises(SystemExit) as ended:
        main(["kserve", alias, *STORAGE, "--project", str(cluster.root)])
    printed = capfd.readouterr()
    assert (ended.value.code, printed.out) == (1, "")
    assert printed.err.count("has no signed verdict") == 2
    assert "It was not deployed." in printed.err


def test_what_cannot_be_told_in_the_middle_stays(
    trusted: Trusted, uri: str, cluster: Cluster, hide: Hide, capfd: pytest.CaptureFixture[str]
) -> None:
    """The ledger is out of reach, and nobody vouches for the newest verdict."""

    def loses_its_witnesses() -> None:
        version = registry.resolve(uri)
        registry.of(uri).annotate(version, {head.TAG: ""})
        hide()
        for file in (trusted.project.state / "heads").glob("*"):
            file.unlink()

    trusted.validate(uri)
    assert cluster.roll_out(uri, loses_its_witnesses) == (2, [10])
    said = capfd.readouterr().err
    assert "cannot be told" in said
    assert "stays at 10 %" in said


def test_the_first_step_is_printed_with_its_job(
    trusted: Trusted, uri: str, cluster: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is printed is manifests alone, to be piped; a command that fails ends the rollout."""
    trusted.validate(uri)
    with pytest.raises(SystemExit) as ended:
        main(["kserve", uri, *STORAGE, "--project", str(cluster.root)])
    made, job = yaml.safe_load_all(capfd.readouterr().out)
    assert ended.value.code == 0
    assert (made["kind"], made["spec"]["predictor"]["canaryTrafficPercent"], job["kind"]) == (
        "InferenceService",
        0,
        "Job",
    )
    assert problems(made) == problems(job) == []
    fails = shlex.join([sys.executable, "-c", "raise SystemExit(3)"])
    assert cluster.roll_out(uri, apply=fails) == (2, [])
    assert "ended with exit code 3" in capfd.readouterr().err
    assert cluster.roll_out(uri, check=fails) == (2, [10])
