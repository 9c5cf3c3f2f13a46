"""What the component makes of a verdict, for each outcome and each way that the command may end."""

from __future__ import annotations

import json

import pytest

from seatrial.events import Case, Evaluated, Measurement, NotEvaluated, Outcome, Subject, Verdict, total
from seatrial.kfp.step import EXIT_CODES, believed, metrics


def verdict(*events: Evaluated | NotEvaluated | Measurement) -> Verdict:
    planned = [Case("golden", "features")]
    return total(list(events), subject=Subject("payments"), path=["features"], planned=planned)


def test_every_outcome_has_the_exit_code_of_the_command() -> None:
    """A new outcome must be decided here too, or the pipeline would fail on it."""
    assert {outcome.value: outcome.exit_code for outcome in Outcome} == EXIT_CODES


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("code", [0, 1, 2, -9, 137])
def test_a_verdict_is_believed_where_the_command_ended_with_it(outcome: Outcome, code: int) -> None:
    """A pass from a command that was killed opens no gate."""
    assert believed({"outcome": outcome.value}, code) is (outcome.exit_code == code)


def test_metrics_are_the_numbers_of_a_verdict_as_it_is_written() -> None:
    """By check, stage and name; what is no finite number is left out, and nothing else is."""
    found = verdict(
        Evaluated("golden", "features", compared=5),
        Measurement("golden", "features", "agreement", 0.5),
        Measurement("load", None, "p99", float("nan")),
    )
    written = json.loads(found.to_json())
    assert metrics(written) == {"findings": 0, "seconds": found.seconds, "golden/features/agreement": 0.5}
    json.loads(json.dumps(metrics(written), allow_nan=False))
