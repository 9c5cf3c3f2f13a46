"""Where verdicts are kept on tracking servers that others host: names alone, no server is asked."""

from __future__ import annotations

import re

import pytest

from seatrial.errors import RegistryError
from seatrial.registry.mlflow import pages, unity
from seatrial.registry.mlflow.hosted import experiment_of
from seatrial.registry.mlflow.stores import store
from seatrial.registry.protocol import Version

AZURE = "azureml://eastus.api.azureml.ms/mlflow/v2.0/subscriptions/s/resourceGroups/r/providers/x/workspaces/w"
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/shop"


@pytest.mark.parametrize(
    ("tracking", "model", "expected"),
    [
        ("http://127.0.0.1:5000", "payments", "seatrial/payments"),
        (ARN, "payments", "seatrial/payments"),
        ("databricks", "main.ml.payments", "/Shared/seatrial/main.ml.payments"),
        ("databricks://staging", "main.ml.payments", "/Shared/seatrial/main.ml.payments"),
        (AZURE, "payments-2", "seatrial-payments-2"),
    ],
)
def test_an_experiment_has_a_name_that_its_server_takes(
    tracking: str, model: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path of the workspace on Databricks, no slash on Azure, and the same as ever elsewhere."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking)
    assert experiment_of(model) == expected


def test_two_models_have_two_experiments(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Azure takes in no name is replaced, and told apart by a digest."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AZURE)
    names = {experiment_of(model) for model in ("shop.payments", "shop_payments", "shop/payments", "shop payments")}
    assert len(names) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9][\w-]{0,254}", name) for name in names)


def test_a_folder_of_the_workspace_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a variable, as an absolute path; on other servers it names nothing."""
    monkeypatch.setenv("SEATRIAL_EXPERIMENTS", "/Users/you@example.com/seatrial/")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "databricks")
    assert experiment_of("a.b.c") == "/Users/you@example.com/seatrial/a.b.c"
    monkeypatch.setenv("SEATRIAL_EXPERIMENTS", "seatrial")
    with pytest.raises(RegistryError, match="Write an absolute path, such as /Shared/seatrial"):
        experiment_of("a.b.c")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert experiment_of("a.b.c") == "seatrial/a.b.c"


@pytest.mark.parametrize(
    ("registry", "tracking", "expected"),
    [
        ("", "databricks", ("databricks-uc", "MLFLOW_TRACKING_URI")),
        ("", "databricks://staging", ("databricks-uc://staging", "MLFLOW_TRACKING_URI")),
        ("databricks", "databricks", ("databricks", "MLFLOW_REGISTRY_URI")),  # the older one, of the workspace
        ("uc:http://127.0.0.1:8080", "http://127.0.0.1:5000", ("uc:http://127.0.0.1:8080", "MLFLOW_REGISTRY_URI")),
        ("", ARN, (ARN, "MLFLOW_TRACKING_URI")),
        ("", "", ("", "")),
    ],
)
def test_the_registry_is_the_one_that_mlflow_asks(
    registry: str, tracking: str, expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside runs in Databricks that is Unity Catalog."""
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", registry)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking)
    assert store() == expected
    assert unity.is_unity() == expected[0].startswith(("databricks-uc", "uc:"))


KEYS = ["seatrial", "seatrial.verdict", "seatrial.subject_digest", "seatrial.fixture.edge-cases.2", "team=fraud", "a_b"]


def test_keys_of_tags_come_back_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """There they have letters, digits, '_' and blanks alone: what both MLflow and Databricks take."""
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks-uc")
    tags = dict.fromkeys(KEYS, "x")
    there = unity.written(tags)
    assert unity.read(there) == tags
    assert all(re.fullmatch(r"[A-Za-z0-9_ ]+", key) for key in there)
    assert list(there)[:3] == ["seatrial", "seatrial_verdict", "seatrial_subject_digest"]
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "uc:http://127.0.0.1:1")
    assert unity.written(tags) == {}
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:1")
    assert unity.written(tags) == unity.read(tags) == tags


@pytest.mark.parametrize("tracking", [ARN, AZURE])
def test_no_command_is_shown_that_would_serve_nothing(tracking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that another hosts is no argument of 'mlflow server'."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking)
    (link,) = pages.pages(Version("payments", "1", 1, "", ""), "")
    assert (link.address, link.command) == ("#/models/payments/versions/1", "")
