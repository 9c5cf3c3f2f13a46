"""A stage under the name of a setting is named, and never lost in silence."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from seatrial import Pipeline, Stage
from seatrial.errors import PipelineError


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def load(path: str) -> float:
    return float(path)


def scored(frame: pd.DataFrame, model: float) -> pd.DataFrame:
    return frame.assign(score=model)


@pytest.mark.parametrize("given", [same, Stage(same)], ids=["function", "stage"])
@pytest.mark.parametrize("setting", ["service", "key", "dependencies"])
def test_a_stage_under_the_name_of_a_setting_is_refused(setting: str, given: Any) -> None:
    settings = {"key": "id", setting: given}
    with pytest.raises(PipelineError, match=f"given {setting}=.*and no stage. .*such as {setting}_stage="):
        Pipeline("p", **settings, raw=same, response=same)


def test_a_stage_called_model_is_refused_and_a_model_that_a_stage_takes_is_not() -> None:
    with pytest.raises(PipelineError, match="given model=a Stage; 'model' is a function from the path"):
        Pipeline("p", key="id", raw=same, model=Stage(same), response=same)  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match=r"given model=, and none of its stages \(raw, response\) takes 'model'"):
        Pipeline("p", key="id", raw=same, model=same, response=same)  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match="given model=a float; 'model' is a function"):
        Pipeline("p", key="id", raw=same, model=0.5, response=scored)  # type: ignore[arg-type]
    assert Pipeline("p", key="id", raw=same, model=load, response=scored).stages == ("raw", "response")


def test_a_stage_may_be_called_name_or_self() -> None:
    stages: dict[str, Any] = {"raw": same, "name": same, "self": same}
    assert Pipeline("p", key="id", **stages).stages == ("raw", "name", "self")
    with pytest.raises(PipelineError, match="Its first argument is its name"):
        Pipeline(same, key="id", raw=same, response=same)  # type: ignore[arg-type]
