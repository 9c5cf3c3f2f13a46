"""The results of a replay, put together from what a worker replied and checked against what was wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import pandas as pd

from seatrial.errors import PipelineError, StageError
from seatrial.isolation import messages
from seatrial.pipeline import AS_STORED, Replayed, check_keyed

ERROR_CHARACTERS = 2000
DETAIL_CHARACTERS = 20_000  # of a traceback


def results_of(
    reply: messages.ReplayedReply,
    found: Sequence[pd.DataFrame],
    stages: Sequence[str],
    batches: int,
    key_of: Callable[[str], Sequence[str]],
    *,
    marked: bool = False,
) -> list[Replayed]:
    """Return the results of each batch. A frame that breaks the rule of a stage is the error of that stage.

    Args:
        reply: of the worker.
        found: the frames that came with it: those of the first stage for every batch, then of the next stage.
        stages: those that were run.
        batches: how many there were.
        key_of: returns the key columns of a stage.
        marked: frames that were handed on as they are stored have the attribute ``AS_STORED``.

    Raises:
        ValueError: the reply has results of other batches or stages.
    """
    if not len(reply.results) == len(reply.as_stored) == batches:
        raise ValueError("results of another number of batches")
    replayed = []
    frames = _by_stage(reply, found, len(stages))
    for results, as_stored in zip(reply.results, reply.as_stored, strict=True):
        ended = bool(results) and results[-1] is not None
        if any(results[:-1]) or len(results) > len(stages) or not (ended or len(results) == len(stages)):
            raise ValueError("results of other stages than were run")
        replayed.append(list(_of_batch(stages, results, as_stored if marked else (), frames, key_of)))
    return replayed


def _by_stage(
    reply: messages.ReplayedReply, found: Sequence[pd.DataFrame], stages: int
) -> list[Iterator[pd.DataFrame]]:
    """Return the frames of each stage, in the order of the batches."""
    frames = iter(found)
    counts = [sum(len(r) > at and r[at] is None for r in reply.results) for at in range(stages)]
    return [iter(list(islice(frames, count))) for count in counts]


def _of_batch(
    stages: Sequence[str],
    results: Sequence[messages.ErrorRecord | None],
    as_stored: Sequence[int],
    found: Sequence[Iterator[pd.DataFrame]],
    key_of: Callable[[str], Sequence[str]],
) -> Iterator[pd.DataFrame | StageError]:
    for at, (stage, result, frames) in enumerate(zip(stages, results, found, strict=False)):
        if result is not None:
            wrong = StageError(stage, result.error[:ERROR_CHARACTERS])
            wrong.details = result.details[:DETAIL_CHARACTERS]
            if result.unrecorded:
                wrong.__cause__ = PipelineError(result.unrecorded[:ERROR_CHARACTERS])
            yield wrong
            return
        frame = next(frames)
        try:
            check_keyed(stage, key_of(stage), frame)
        except StageError as error:  # the worker should have said so
            yield error
            return
        if at in as_stored:
            frame.attrs[AS_STORED] = True
        yield frame
