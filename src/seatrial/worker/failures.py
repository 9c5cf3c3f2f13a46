"""What a worker replies where something fails: the error as events may show it, and its traceback beside it.

Only the traceback may hold values of rows. The judge keeps it with the local evidence and puts it in no event.
"""

from __future__ import annotations

from typing import Any

from seatrial.errors import PipelineError, SeatrialError, StageError
from seatrial.io.tracebacks import details_of
from seatrial.pipeline import describe


class ModelError(Exception):
    """The code of a model raised while it was loaded."""


def failure(error: BaseException) -> dict[str, Any]:
    """Return the reply to a request that failed: with an error of seatrial's, or of the project's own code."""
    if isinstance(error, SeatrialError):
        name, message = type(error).__name__, str(error)
    else:
        name, message = "model", str(error) if isinstance(error, ModelError) else describe(error)
    return {"reply": "failed", "error": name, "message": message, "details": _details(error)}


def error_record(error: StageError) -> dict[str, str]:
    """Return an error of a stage as JSON types; ``unrecorded`` is why the record of a dependency made it fail."""
    cause = error.__cause__
    unrecorded = isinstance(cause, PipelineError) and not isinstance(cause, StageError)
    return {"error": str(error), "unrecorded": str(cause) if unrecorded else "", "details": _details(error)}


def _details(error: BaseException) -> str:
    raised = error.__cause__ if isinstance(error, SeatrialError | ModelError) else error
    return "" if raised is None or isinstance(raised, SeatrialError) else details_of(raised)
