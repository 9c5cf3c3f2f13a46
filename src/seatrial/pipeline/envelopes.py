"""The envelopes of JSON services by name: in which field requests stand, and in which their answers come back."""

from __future__ import annotations

from seatrial.errors import PipelineError, nearest

ANSWERS = {
    "instances": "predictions", "inputs": "outputs", "dataframe_split": "predictions",
    "dataframe_records": "predictions", "list": "", "values": "", "object": "",
}  # fmt: skip
"""By the name of an envelope, the field of the answers; none where they are the whole body."""

WITHOUT_KEY = ("instances", "inputs", "dataframe_split", "dataframe_records", "values")
"""Envelopes of model servers, whose rows are a model's inputs: the key is none of them."""


def split_envelope(name: str) -> tuple[str, str]:
    """Return the field, or form, of the requests and the field of the answers; empty is the body as it stands.

    Raises:
        PipelineError: an unknown name, with the known ones.

    Example:
        >>> split_envelope("instances"), split_envelope("rows/scores"), split_envelope("/score")
        (('instances', 'predictions'), ('rows', 'scores'), ('object', 'score'))
    """
    requests, slash, answers = name.partition("/") if isinstance(name, str) else ("", "", "")
    if slash and "/" not in answers and (requests or answers):
        return requests or "object", answers
    if name not in ANSWERS:
        raise PipelineError(
            f"Service(envelope={name!r}) is unknown. Known: {', '.join(ANSWERS)}; or name both fields, such as "
            f"'rows/scores'.{nearest(str(name), ANSWERS)}"
        )
    return requests, ANSWERS[requests]
