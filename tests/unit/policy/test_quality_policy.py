"""What a ``Quality`` cannot mean is refused where it is written, with what was found and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial import Policy, Quality, StagePolicy
from seatrial.errors import PolicyError
from seatrial.policy.quality import check_qualities


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "Quality needs one of score= .* scores= .* and predicted="),
        ({"score": 3}, "'score' is the name of a column"),
        ({"score": "s", "limits": {"rocauc": 0.7}}, "Did you mean 'roc_auc'"),
        ({"score": "s", "limits": {"roc_auc": 0.7, "rmse": 1}}, "Found roc_auc: events, rmse: numbers.*a list of them"),
        ({"score": "s", "limits": {"f1_macro": 0.5, "rmse": 1}}, "do not belong together"),
        ({"score": "s", "limits": {"rmse": 1}, "positive": "x"}, "Found rmse: numbers, positive='x'"),
        ({"score": "s", "limits": {"ndcg@10": 0.5}, "baseline": "mean"}, "Found ndcg@10: ranking, baseline='mean'"),
        ({"predicted": "c", "limits": {"f1": 0.5}}, "predicted= gives classes .of events where positive= is set."),
        ({"predicted": "c", "limits": {"log_loss": 0.5}}, "log_loss needs scores. Set score= or scores= too"),
        ({"score": "s", "limits": {"roc_auc": 75}}, "the limit of 'roc_auc' is 75, but its values are between 0 and 1"),
        ({"score": "s", "limits": {"r2": 2}}, "its values are at most 1"),
        ({"score": "s", "limits": {"rmse": -1}}, "its values are at least 0"),
        ({"score": "s", "limits": {"rmse": "low"}}, "the limit of 'rmse' is a number; found 'low'"),
        ({"score": "s", "limits": {"rmse": float("nan")}}, "the limit of 'rmse' is a number; found nan"),
        ({"score": "s", "limits": {"rmse": True}}, "the limit of 'rmse' is a number; found True"),
        ({"score": "s", "limits": ["rmse"]}, "'limits' maps metrics to limits"),
        ({"score": "s", "slices": "country"}, "'slices' is a list of column names"),
        ({"score": "s", "slices": ["country"]}, "compares the metrics in 'limits', and there is none"),
        ({"score": "s", "baseline": "prior"}, "compares the metrics in 'limits', and there is none"),
        ({"score": "s", "baseline_margin": -1}, "a margin is 0 or more"),
        ({"score": "s", "threshold": "half"}, "a threshold is a number"),
        ({"scores": {"a": "x"}}, "maps two or more classes to a column each"),
        ({"scores": {"a": "x", "b": "x"}}, "maps two or more classes to a column each"),
        ({"scores": {"a": "x", "b": "y"}, "positive": "a"}, "remove score=, positive= and threshold="),
        ({"scores": {"a": "x", "b": "y"}, "baseline": {"a": "z"}}, "its classes must be those of 'scores'"),
        ({"predicted": "c", "positive": 1, "threshold": 0.3}, "has no meaning beside predicted="),
        ({"score": "s", "groups": ["sex"]}, "'groups' maps a column to limits"),
        ({"score": "s", "groups": {"sex": ["recall"]}}, "maps metrics to limits"),
        ({"score": "s", "groups": {"sex": {"recal_difference": 0.1}}}, "Did you mean 'recall_difference'"),
        ({"score": "s", "groups": {"sex": {"recall_difference": 10}}}, "its values are between 0 and 1"),
        ({"score": "s", "groups": {"sex": {"r2_ratio": 0.8}}}, "r2 can be negative"),
        ({"score": "s", "limits": {"rmse": 1}, "groups": {"x": {"recall_difference": 0.1}}}, "do not belong together"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        Quality("y", **settings)


def test_the_task_follows_from_the_settings() -> None:
    tasks = {
        "events": [
            {"score": "s", "limits": {"brier": 0.2}},
            {"predicted": "c", "positive": "x", "limits": {"f1": 0.1}},
        ],
        "classes": [{"predicted": "c", "limits": {"accuracy": 0.2}}, {"scores": {"a": "x", "b": "y"}}],
        "numbers": [{"score": "s", "limits": {"mae": 2}}, {"score": "s", "groups": {"sex": {"mae_ratio": 0.8}}}],
        "ranking": [{"score": "s", "limits": {"mrr@5": 0.2}, "baseline": "popularity"}],
    }
    assert [[Quality("y", **s).task for s in of] for of in tasks.values()] == [[t] * len(of) for t, of in tasks.items()]


def test_a_stage_may_have_several() -> None:
    one, two = Quality("y", "a", {"mae": 1}), Quality("y", "b", {"mae": 1})
    assert Policy({"s": StagePolicy(quality=one)}).of("s").qualities == (one,)
    assert Policy({"s": StagePolicy(quality=[one, two])}).of("s").qualities == (one, two)
    assert Policy().of("s").qualities == ()
    with pytest.raises(PolicyError, match=r"s.py: two Quality.* evaluate column 'a'"):
        check_qualities("s.py", [one, one])
    with pytest.raises(PolicyError, match="or a list of them; found int"):
        check_qualities("s.py", [one, 3])
