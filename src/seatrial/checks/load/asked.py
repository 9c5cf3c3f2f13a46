"""Whether answers under load name the key that was asked: it is looked for in every one, as the service writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from seatrial.checks.serving.answers import key_text
from seatrial.checks.serving.cross_talk import same_form, told_key
from seatrial.checks.serving.expected import Expected
from seatrial.events import Finding
from seatrial.formatting import part_of
from seatrial.pipeline import SERVICE, key_columns
from seatrial.targets.messages import Response

NAMED = 5  # keys named in a finding
_WRITINGS = (
    json.dumps,
    lambda value: json.dumps(value, ensure_ascii=False),
    lambda value: json.dumps(str(value), ensure_ascii=False),
)


def key_texts(expected: Expected, first: Response) -> list[bytes]:
    """Return what each answer should contain: the name and the value of its request's key, as ``first`` writes them.

    Looking for it costs a fraction of a microsecond an answer, so that every answer of a run is looked at. An answer
    that writes its key otherwise is returned by the run, and read.

    Args:
        expected: the requests.
        first: the answer to the first of them.

    Returns:
        One text a request; none where the answer does not tell its key once.
    """
    if not first.ok or any(key is None for key in expected.asked):
        return []
    names = key_columns(expected.trial.pipeline.key)
    columns = list(zip(*(k if isinstance(k, tuple) else (k,) for k in expected.asked), strict=True))
    if not columns:
        return []
    place = max(range(len(names)), key=lambda n: len(set(map(str, columns[n]))))
    values = columns[place]
    for write in _WRITINGS:
        name, own = json.dumps(names[place]).encode(), write(values[0]).encode()
        found = re.findall(rb"(" + re.escape(name) + rb"\s*:\s*)" + re.escape(own) + rb"(\s*[,}\]])", first.body)
        if len(found) == 1:
            before, after = found[0]
            return [before + write(value).encode() + after for value in values]
    return []


def own_key(expected: Expected, answer: dict[str, Any], row: int) -> bool:
    """Whether an answer names the key of its request, or none."""
    told = told_key(answer, expected.trial.pipeline.key)
    asked = expected.asked[row] if expected.asked else None
    return told is None or asked is None or same_form(told) == same_form(asked)


def others_finding(
    name: str, expected: Expected, others: Sequence[tuple[dict[str, Any], int]], answers: int, *, every: bool
) -> Finding:
    """Return the finding for answers under load with another key than that of their request.

    Args:
        name: of the check.
        expected: the requests.
        others: the answers, each with the row of its request.
        answers: how many were looked at.
        every: whether those were all of the run, not a sample.
    """
    key = expected.trial.pipeline.key
    known = {same_form(asked) for asked in expected.asked}
    told = [told_key(answer, key) for answer, _ in others]
    mixed = any(same_form(each) in known for each in told)
    what = "answers" if every else "sampled answers"
    return Finding(
        name, SERVICE,
        f"Under load, {part_of(len(others), answers, what)} have "
        f"{'the key of another request' if mixed else 'another key'} than the one that was asked.",
        cause="other-request" if mixed else "load-changes-answers",
        advice="Look for state that concurrent requests share: a module variable, a buffer that is used again, or a "
        "queue whose answers are taken by whoever waits first.",
        evidence={
            "rows": answers, "mismatches": len(others), "keys": [expected.keys[row] for _, row in others[:NAMED]],
            "answered_keys": [key_text(each) for each in told[:NAMED]],
        },
    )  # fmt: skip
