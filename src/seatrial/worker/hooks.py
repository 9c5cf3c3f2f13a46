"""The hooks of a service, in the worker: requests are written and answers read where the stages run.

- ``write_requests``: the request hook runs on each batch; the reply ``requested`` names the file with one frame of
  requests, one row a batch.
- ``read_answers``: the response hook runs on each answer; the reply ``read`` lists for each an error, or how to poll,
  or nothing where its frame is the next one in the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from seatrial.errors import SeatrialError
from seatrial.pipeline import HttpAnswer, HttpRequest, LocalReplayer, Poll
from seatrial.worker import frames


def write_requests(replayer: LocalReplayer, given: Path, batches: int, path: Path) -> dict[str, Any]:
    """Write the requests of the batches in a file to another."""
    requests = replayer.write_requests(list(frames.read(given, batches)))
    frames.write([request_frame(requests)], path)
    return {"reply": "requested", "file": path.name}


def read_answers(replayer: LocalReplayer, given: Path, path: Path) -> dict[str, Any]:
    """Write the frames of the answers in a file to another."""
    [rows] = frames.read(given, 1)
    results: list[dict[str, Any]] = []
    with path.open("xb") as file, frames.FrameWriter(file) as writer:
        for found in replayer.read_answers(answers_in(rows)):
            error, poll = "", None
            if isinstance(found, Poll):
                poll = {"url": found.url, "seconds": float(found.seconds), "every": float(found.every)}
            elif isinstance(found, pd.DataFrame):
                try:
                    writer.add(found, "what the response hook returned")
                except SeatrialError as wrong:
                    error = str(wrong)
            else:
                error = str(found)
            results.append({"error": error, "poll": poll})
    return {"reply": "read", "file": path.name, "results": results}


def request_frame(requests: Sequence[HttpRequest]) -> pd.DataFrame:
    """Return requests as a frame, one row each."""
    cells: Mapping[str, list[Any]] = {
        "method": [r.method for r in requests], "path": [r.path or "" for r in requests],
        "content_type": [r.content_type for r in requests],
        "headers": [json.dumps(dict(r.headers)) for r in requests], "body": [r.body for r in requests],
    }  # fmt: skip
    return _frame(cells)


def requests_in(frame: pd.DataFrame) -> list[HttpRequest]:
    """Return the requests that a frame holds, each checked.

    Raises:
        PipelineError, ValueError, TypeError, KeyError: it holds something else.
    """
    return [
        HttpRequest(_bytes(body), kind, path or None, method, _headers(headers))
        for method, path, kind, headers, body in zip(
            *(frame[name].tolist() for name in ("method", "path", "content_type", "headers", "body")),
            strict=True,
        )
    ]


def answer_frame(answers: Sequence[HttpAnswer]) -> pd.DataFrame:
    """Return answers as a frame, one row each."""
    cells: Mapping[str, list[Any]] = {
        "status": [str(a.status) for a in answers], "polls": [str(a.polls) for a in answers],
        "headers": [json.dumps(dict(a.headers)) for a in answers], "body": [a.body for a in answers],
    }  # fmt: skip
    return _frame(cells)


def answers_in(frame: pd.DataFrame) -> list[HttpAnswer]:
    """Return the answers that a frame holds."""
    return [
        HttpAnswer(int(status), _headers(headers), _bytes(body), int(polls))
        for status, polls, headers, body in zip(
            *(frame[name].tolist() for name in ("status", "polls", "headers", "body")),
            strict=True,
        )
    ]


def _frame(cells: Mapping[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in cells.items()})


def _headers(text: str) -> dict[str, str]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError("the headers are no object")
    return found


def _bytes(cell: Any) -> bytes:
    if not isinstance(cell, bytes):
        raise TypeError("a body is not bytes")
    return cell
