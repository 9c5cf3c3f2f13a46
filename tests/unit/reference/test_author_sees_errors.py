"""At capture the author sees what his own code raised; under validation no event does."""

from __future__ import annotations

import pandas as pd
import pytest

from seatrial import Pipeline, capture
from seatrial.errors import StageError
from seatrial.io.tracebacks import details_of, shown
from seatrial.reference.capture import captured
from seatrial.worker.failures import ModelError, error_record, failure

REQUESTS = pd.DataFrame({"id": ["t-1"], "branch": ["CANARY"]})


def price(frame: pd.DataFrame) -> pd.DataFrame:
    raise ValueError(f"no such branch: {frame['branch'].iloc[0]}")


PIPELINE = Pipeline("shop", key="id", raw=lambda frame: frame, price=price)


def test_capture_shows_type_text_and_line():
    """With the stage, what to do, and the exception itself as the cause."""
    with pytest.raises(StageError) as raised:
        capture(PIPELINE, REQUESTS)
    said = str(raised.value)
    assert said.startswith("Stage 'price' raised ValueError: no such branch: CANARY (")
    assert f"{__file__}, line {price.__code__.co_firstlineno + 1}: raise ValueError(" in said
    assert "Nothing was captured" in said
    assert isinstance(raised.value.__cause__, ValueError)


def test_a_worker_sends_the_text_beside_the_message_alone():
    """What it captures is described without its text: the judge keeps that with the local evidence."""
    with pytest.raises(StageError) as raised:
        captured(PIPELINE, REQUESTS)
    for told in (error_record(raised.value), failure(raised.value)):
        assert "CANARY" not in str(told.get("error")) + str(told.get("message"))
        assert told["details"].endswith("ValueError: no such branch: CANARY\n")
    assert failure(raised.value)["error"] == "StageError"


def test_a_broken_rule_has_no_traceback():
    """Its message says all of it, and is shown as it is."""
    no_key = Pipeline("shop", key="id", raw=lambda frame: frame, price=lambda frame: frame.drop(columns="id"))
    with pytest.raises(StageError, match="lost the key column") as raised:
        capture(no_key, REQUESTS)
    assert "Nothing was captured" not in str(raised.value)
    assert error_record(raised.value)["details"] == ""


def test_a_model_that_cannot_be_loaded_has_its_traceback_beside_the_message():
    """The message names no text of it."""
    error = ModelError("The model could not be loaded: KeyError.")
    error.__cause__ = KeyError("CANARY")
    told = failure(error)
    assert told["message"] == "The model could not be loaded: KeyError."
    assert told["details"].endswith("KeyError: 'CANARY'\n")


def test_frames_of_seatrial_are_left_out_of_a_traceback():
    """The author's own lines are what he can mend."""
    with pytest.raises(StageError) as raised:
        captured(PIPELINE, REQUESTS)
    details = details_of(raised.value)
    assert "rule.py" not in details
    assert details.count('File "') == 1
    assert shown(ValueError("two\nlines")) == "ValueError: two lines"
