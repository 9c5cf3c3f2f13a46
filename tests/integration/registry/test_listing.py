"""A project's models are listed without those of others, by patterns of a shell, from a real store of MLflow."""

from __future__ import annotations

import time
from collections.abc import Iterator

import mlflow
import pytest

from seatrial import registry
from seatrial.project import matches
from seatrial.registry.capabilities import ListsByPattern
from seatrial.registry.mlflow.registry import MLflowRegistry

HERE = MLflowRegistry()
NAMES = (
    "shop",
    "Shop",
    "shop-a",
    "shop_a",
    "shop-[b]",
    "shop's",
    "sh'o\"p",
    "shöp",
    "100%shop",
    "s",
    "other",
    "other-shop",
)
PATTERNS = ("shop", "shop*", "shop-?", "shop-[ab]*", "shop-[[]b]", "sh[!o]p", "*shop", "shop's", "shöp*", "100%*", "?")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A store with two versions of each model, of which the second is the champion."""
    with pytest.MonkeyPatch.context() as patch:
        address = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
        patch.setenv("MLFLOW_TRACKING_URI", address)
        client = mlflow.MlflowClient()
        for name in NAMES:
            client.create_registered_model(name)
            for _ in range(2):
                client.create_model_version(name, "s3://bucket/model")
            client.set_registered_model_alias(name, "champion", "2")
        yield


@pytest.mark.parametrize("patterns", [*zip(PATTERNS), PATTERNS, ("*",), ("other", "*"), ()], ids=repr)
def test_no_model_of_the_project_is_missed(store: None, patterns: tuple[str, ...]) -> None:
    """Whatever its name and the pattern hold that means something to MLflow or to its database."""
    wanted = {name for name in NAMES if matches(name, patterns)}
    found = registry.changed_among(HERE, patterns)
    assert wanted <= {version.name for version in found}
    assert len({version.uri for version in found}) == len(found), "a model of two patterns is listed once"
    assert [v.changed for v in found] == sorted((v.changed for v in found), reverse=True)
    assert wanted <= set(registry.aliases(HERE, patterns))


@pytest.mark.parametrize("pattern", ["shop", "shop*", "shop-?", "shop-[ab]*"])
def test_models_of_others_are_not_read(store: None, pattern: str) -> None:
    """The registry leaves them out, not we; without a pattern all are there."""
    assert isinstance(HERE, ListsByPattern)
    listed = {v.name for v in registry.changed_among(HERE, [pattern])}
    assert not listed & {"other", "s", "other-shop"}
    assert not set(registry.aliases(HERE, [pattern])) & {"other", "s", "other-shop"}
    assert {v.name for v in HERE.changed_since()} == set(registry.aliases(HERE)) == set(NAMES)


def test_what_has_not_changed_is_not_listed(store: None) -> None:
    """A poll asks for what is new, and for one model where a webhook names it."""
    later = (time.time() + 60) * 1000
    assert registry.changed_among(HERE, PATTERNS, later) == []
    for name in NAMES:
        one = HERE.changed_since(model=name)
        assert sorted((v.name, v.number) for v in one) == [(name, "1"), (name, "2")]
    assert HERE.changed_since(model="nobody") == []
