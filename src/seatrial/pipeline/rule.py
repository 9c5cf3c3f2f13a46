"""The rule of a stage: a plain function from a frame to a frame that keeps the key. What breaks it is named."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import PipelineError, StageError, nearest
from seatrial.formatting import plural
from seatrial.pipeline.parts import Stage
from seatrial.pipeline.requests import Positions, key_columns, request_numbers
from seatrial.pipeline.returned import Returned, returned

_QUOTED = re.compile(r"'([^']+)'")  # how pandas quotes the columns that a frame lacks


def parameters_of(stage: str, function: Callable[..., Any], fillable: Sequence[str]) -> tuple[str, ...]:
    """Return the parameters after the frame that the pipeline must fill.

    Args:
        stage: the name of the stage, for messages.
        function: the function of the stage.
        fillable: the parameters that the pipeline can fill: ``model`` and the names of its dependencies.

    Raises:
        PipelineError: it is no plain function of a frame, or has a parameter that the pipeline cannot fill.
    """
    if not callable(function):
        raise PipelineError(
            f"Stage '{stage}' is a {type(function).__name__}; a stage is a function from a frame to a frame."
        )
    if any(map(inspect.iscoroutinefunction, (function, type(function).__call__))):
        raise PipelineError(f"Stage '{stage}' is a coroutine function; a stage is a plain function. Remove 'async'.")
    bound = function.keywords if isinstance(function, partial) else {}
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise PipelineError(f"The signature of stage '{stage}' cannot be read: {error}.") from error
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    if not parameters or parameters[0].kind not in positional | {inspect.Parameter.VAR_POSITIONAL}:
        raise PipelineError(
            f"Stage '{stage}' takes no frame. Its first parameter must receive the frame of the previous stage."
        )
    needs = []
    for parameter in parameters[1:]:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            continue
        if parameter.name in fillable and parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
            if parameter.name not in bound:
                needs.append(parameter.name)
        elif parameter.default is inspect.Parameter.empty:
            raise PipelineError(
                f"Stage '{stage}' has a parameter '{parameter.name}' that the pipeline cannot fill. It can fill: "
                f"{', '.join(fillable) or 'nothing (it has no model and no dependencies)'}."
                f"{nearest(parameter.name, fillable)}"
            )
    return tuple(needs)


def run_stage(
    stage: Stage, key: Any, arguments: Mapping[str, Any], columns: Container[str], frame: pd.DataFrame | Returned
) -> Any:
    """Run a stage on a frame and return its frame; on what a stage returned, and then return it likewise.

    Args:
        stage: the stage.
        key: the key columns of its frame.
        arguments: its parameters after the frame.
        columns: names that a message may mention when the stage fails for want of one of them.
        frame: the frame of the previous stage.

    Raises:
        StageError: the stage raised, or its frame breaks the rule.
    """
    before = Returned.of(frame) if isinstance(frame, pd.DataFrame) else frame
    try:
        out = stage.function(before.given, **arguments)
    except StageError:
        raise
    except (Exception, SystemExit) as error:
        what = str(error) if isinstance(error, PipelineError) else describe(error, columns)
        raise StageError(stage.name, f"Stage '{stage.name}' raised {what}") from error
    keys = (key,) if isinstance(key, str) else tuple(key)
    after = returned(stage.name, out, before=before.frame, key=keys, columns=stage.columns)
    check_keyed(stage.name, key, after.frame)
    return after.frame if isinstance(frame, pd.DataFrame) else after


def check_keyed(stage: str, key: str | Sequence[str], frame: Any) -> None:
    """Check that a stage returned a frame with distinct column names and its key, unique and never null.

    Of a key of several columns none is null, and together they are unique.

    Raises:
        StageError: what is wrong with the frame, and which stage returned it.
    """
    if not isinstance(frame, pd.DataFrame):
        raise StageError(stage, f"The frame of stage '{stage}' is a {type(frame).__name__}. Give a pandas DataFrame.")
    if wrong := misnamed(frame):
        raise StageError(stage, f"Stage '{stage}' returned {wrong}.")
    names = list(key_columns(key))
    for name in names:
        if name not in frame.columns:
            raise StageError(
                stage,
                f"Stage '{stage}' lost the key column '{name}'. It returned: {', '.join(map(str, frame.columns[:8]))}."
                f"{nearest(name, map(str, frame.columns))}",
            )
        if nulls := int(frame[name].isna().sum()):
            raise StageError(
                stage,
                f"Stage '{stage}' returned {plural(nulls, 'row')} with a null key '{name}'; a key is never null.",
            )
    try:
        repeated = _repeated(frame, names)
    except PipelineError as error:
        raise StageError(stage, f"Stage '{stage}' returned a key that is none. {error}") from error
    if len(repeated):
        listed = ", ".join(map(repr, names))
        keys = len(frame) - len(repeated)
        first = frame[names].iloc[repeated].drop_duplicates().head(3)
        sample = ", ".join(" / ".join(map(str, row)) for row in first.itertuples(index=False, name=None))
        raise StageError(
            stage,
            f"Stage '{stage}' returned {len(frame):,} rows for {keys:,} keys, {len(repeated):,} too many: {listed} "
            f"repeat{'s' if len(names) == 1 else ''} {sample}. A key is unique: look for a join that fans out. "
            f"Where a request has several rows, declare what names one: Stage(..., key=({listed}, ...)).",
        )


def _repeated(frame: pd.DataFrame, names: Sequence[str]) -> Positions:
    """Return the positions of the rows whose key occurs before."""
    if len(names) == 1:
        with suppress(TypeError):
            if _ascends(frame[names[0]]) or frame[names[0]].is_unique:
                return np.empty(0, dtype=np.int64)
    return np.flatnonzero(pd.Series(request_numbers(frame, names)).duplicated().to_numpy())


def _ascends(column: pd.Series) -> bool:
    """Whether a column of whole numbers ascends, which is told without a table of all of them."""
    if not (isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu"):
        return False
    values = column.to_numpy()
    return bool(np.all(values[1:] > values[:-1]))


def misnamed(frame: pd.DataFrame) -> str:
    """Return what is wrong with a frame's column names, or the empty string: each must be text and occur once.

    Example:
        >>> misnamed(pd.DataFrame([[1, 2]], columns=["id", "id"]))
        '1 column name(s) more than once: id'
    """
    if strange := [c for c in frame.columns if not isinstance(c, str)]:
        kind = type(strange[0]).__name__
        return f"{len(strange)} column name(s) that are not text, the first a {kind}; name columns with strings"
    if frame.columns.is_unique:
        return ""
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    return f"{len(twice)} column name(s) more than once: {', '.join(twice[:5])}"


def describe(error: BaseException, columns: Container[str] = ()) -> str:
    """Return an exception as ``Type in function (file:line)``, without its text, which may hold values of rows.

    The name of a missing column or attribute is included where it is one of ``columns``.

    Example:
        >>> describe(KeyError("amount"), columns={"amount"}), describe(KeyError("alice"), columns={"amount"})
        ("KeyError 'amount'", 'KeyError')
    """
    described = type(error).__name__
    if isinstance(error, KeyError | AttributeError):
        wanted = getattr(error, "name", None) or (error.args[0] if error.args else "")
        known = (n for n in (str(wanted), *_QUOTED.findall(str(wanted))) if len(n) <= 60 and n in columns)
        described += f" '{name}'" if (name := next(known, "")) else ""
    # Without sources: to look for them, inspect resolves the files of all modules, which takes half a second.
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if not frames:
        return described
    code, line = next((f for f in reversed(frames) if "site-packages" not in f[0].co_filename), frames[-1])
    return f"{described} in {code.co_name} ({code.co_filename.rsplit('/', 1)[-1]}:{line})"
