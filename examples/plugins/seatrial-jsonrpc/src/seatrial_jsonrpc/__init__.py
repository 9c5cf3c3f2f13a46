"""Services that speak JSON-RPC 2.0 over HTTP: ``jsonrpc+http://host:port/rpc``."""

from __future__ import annotations

from typing import Any

import pandas as pd

from seatrial.errors import AnswerError
from seatrial.io import frame_json
from seatrial.targets.http import Http
from seatrial.targets.messages import Response
from seatrial.targets.probes.base import ProbePlan
from seatrial.targets.probes.records import Envelope, plan_of_records
from seatrial.targets.rest import keys_of, with_keys

ENVELOPE = Envelope('{"jsonrpc":"2.0","id":1,"method":"predict","params":', "}")


class JsonRpc(Http):
    """A service whose method ``predict`` takes one request and returns one answer.

    Args:
        url: where calls go.
        key: the field that names a row, in requests and answers.
        options: ``seconds``, ``limit_bytes`` and ``connections`` of :class:`~seatrial.targets.http.Http`.
    """

    def __init__(self, url: str, *, key: str | None = None, **options: Any) -> None:
        super().__init__(url, **options)
        self.key = key

    def step(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Call once for each row and return the results, in order; TargetError where there is none."""
        calls = [ENVELOPE.body(text) for text in frame_json.payloads(frame)]
        answers = [_result(outcome) for outcome in self.send_all(calls)]
        return frame_json.read(with_keys(answers, keys_of(frame, self.key), self.key), pd.DataFrame())

    def probe_plan(self, requests: pd.DataFrame) -> ProbePlan:
        """Return the contract check's requests: JSON records in the envelope of a call."""
        return plan_of_records(self.url.path, requests, ENVELOPE)


def _result(outcome: Any) -> dict[str, Any]:
    if isinstance(outcome, Exception):
        raise outcome
    if not isinstance(outcome, Response) or not outcome.ok:
        status = outcome.status if isinstance(outcome, Response) else "nothing in time"
        raise AnswerError(f"The JSON-RPC service answered {status}.")
    message = outcome.json()
    if not isinstance(message, dict) or not isinstance(message.get("result"), dict):
        raise AnswerError("The JSON-RPC service answered no 'result' that is an object.")
    return dict(message["result"])
