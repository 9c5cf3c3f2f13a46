"""Compare two frames where some columns are noisy: what noise explains is taken out, and the rest is compared.

Cells that differ by no more than noise count as equal. A column that moved as a whole counts as different by the amount
it moved, in every row, so that a tolerance of the policy still says how much may be. Everything else (keys, columns,
types, nulls, and every column without noise) is compared as ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from seatrial.errors import PipelineError
from seatrial.parity.causes.change import Cause
from seatrial.parity.compare import compare
from seatrial.parity.noise import COMPARISONS, FALSE_FAILURES, ColumnNoise, Judged
from seatrial.parity.reading import column
from seatrial.parity.result import ColumnParity, Parity


@dataclass(frozen=True)
class Noise:
    """What is known of the noise of a stage's frame; the default is none.

    Attributes:
        keys: the keys of the rows, as text, in the order of the arrays of ``columns``.
        columns: by name, the noise of columns of numbers.
        differing: by name, how many rows differed in each run, for other columns that noise before them changes.
        rows: how many rows a run had.
        judged: how many noisy columns the whole validation judges.
        centred: the recorded frame is one of the runs, so that their mean stands for it.
        asked: how often the stage is asked for the mean of a column.
        unjudged: why the values are not compared at all, as a sentence; keys, columns and types are.
    """

    keys: pd.Index = field(default_factory=lambda: pd.Index([]))
    columns: Mapping[str, ColumnNoise] = field(default_factory=dict)
    differing: Mapping[str, Sequence[int]] = field(default_factory=dict)
    rows: int = 0
    judged: int = 1
    centred: bool = False
    asked: int = 1
    unjudged: str = ""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.columns or self.differing or self.unjudged)


def compare_noisy(
    expected: pd.DataFrame,
    actual: pd.DataFrame,
    *,
    key: Any,
    noise: Noise,
    recorded: bool = False,
    names: Sequence[str] | None = None,
    further: Sequence[pd.DataFrame] = (),
    **options: Any,
) -> Parity:
    """Compare ``actual`` with ``expected`` as :func:`seatrial.parity.compare.compare` does, but for noise.

    Args:
        expected: what training saw, or another answer to the same rows.
        actual: what is under trial.
        key: the column, or the columns, that name a row.
        noise: of the columns of ``expected``.
        recorded: ``expected`` is the frame of the reference, and not another answer.
        names: of each row of ``expected``, its key at capture as text, where ``key`` is another one.
        further: more answers of the same stage to the same rows, for the mean of a column.
        **options: as of ``compare``.

    Raises:
        PipelineError, PolicyError: as of ``compare``.
    """
    if not noise:
        return compare(expected, actual, key=key, **options)
    settled, moved = _settled(expected, actual, key, noise, recorded, names, further)
    parity = compare(expected, settled, key=key, **options)
    return replace(parity, columns=tuple(_with_noise(c, noise, moved.get(c.column)) for c in parity.columns))


def key_text(frame: pd.DataFrame, key: Any) -> pd.Index:
    """Return the key of each row as text."""
    columns = [key] if isinstance(key, str) else list(key)
    if missing := [c for c in columns if c not in frame.columns]:
        raise PipelineError(f"The frame has no key column '{missing[0]}'.")
    text = frame[columns[0]].astype(str)
    for name in columns[1:]:
        text = text + "\x1f" + frame[name].astype(str)
    return pd.Index(text)


def allowed_rows(counts: Sequence[int], rows: int, of: int, judged: int) -> int:
    """Return how many of ``rows`` rows may differ where ``counts`` of each ``of`` did in the runs at capture.

    The rate is the upper bound of Clopper and Pearson (Biometrika 26, 1934) over all runs, and the number the quantile
    of the binomial distribution at that rate; the probability of a false failure is halved between them.

    Example:
        >>> allowed_rows([10, 12, 9, 11, 10], 500, 500, 1)
        36
    """
    from scipy.special import betaincinv
    from scipy.stats import binom

    alpha = FALSE_FAILURES / (COMPARISONS * max(1, judged)) / 2
    total, trials = sum(counts), of * len(counts)
    most = 1.0 if total >= trials else float(betaincinv(total + 1, trials - total, 1 - alpha))
    return int(binom.isf(alpha, rows, most))


def _settled(
    expected: pd.DataFrame,
    actual: pd.DataFrame,
    key: Any,
    noise: Noise,
    recorded: bool,
    names: Sequence[str] | None,
    further: Sequence[pd.DataFrame],
) -> tuple[pd.DataFrame, dict[str, Judged]]:
    """Return ``actual`` without what noise explains, and how each noisy column was judged."""
    keys = key_text(expected, key)
    own = key_text(actual, key)
    if not (keys.is_unique and own.is_unique):
        return actual, {}
    at = keys.get_indexer(own)
    out = actual.copy(deep=False)
    if noise.unjudged:
        _take_over(out, expected, at, key)
        return out, {}
    rows = noise.keys.get_indexer(keys if names is None else pd.Index(list(names)))[at]
    rows = np.where(at < 0, -1, rows)
    moved = {}
    for name, of in noise.columns.items():
        if name not in expected.columns or name not in actual.columns:
            continue
        before, after = _numbers(expected[name]), _numbers(actual[name])
        if before is None or after is None:
            continue
        before = np.where(at >= 0, before[at], np.nan)
        centred = recorded and noise.centred
        centre = np.where(rows >= 0, of.mean[rows], np.nan) if centred else np.where(rows >= 0, before, np.nan)
        judged = of.judge(
            after - centre,
            rows,
            against=of.runs if centred else 1,
            columns=noise.judged,
            further=tuple(f for f in (_again(more, own, key, name, centre) for more in further) if f is not None),
        )
        moved[name] = judged
        if judged.spread:
            continue
        settle = np.flatnonzero(judged.within & np.isfinite(before) & np.isfinite(after - centre))
        cells = out[name].copy()
        cells.iloc[settle] = (before + judged.shift * of.scale[rows])[settle].astype(_type(cells))
        out[name] = cells
    return out, moved


def _again(frame: pd.DataFrame, keys: pd.Index, key: Any, name: str, centre: Any) -> Any:
    own = key_text(frame, key)
    values = _numbers(frame[name]) if name in frame.columns else None
    if values is None or not own.is_unique:
        return None
    at = own.get_indexer(keys)
    return np.where(at >= 0, values[at], np.nan) - centre


def _numbers(cells: pd.Series) -> Any:
    """Return the cells of a column of floats, with NaN for null; None for another."""
    if not pd.api.types.is_float_dtype(cells.dtype):
        return None
    return cells.to_numpy(dtype="float64", na_value=np.nan)


def _type(cells: pd.Series) -> Any:
    return cells.dtype if isinstance(cells.dtype, np.dtype) else np.float64


def _take_over(out: pd.DataFrame, expected: pd.DataFrame, at: Any, key: Any) -> None:
    """Give the rows the expected values, in columns of the expected type."""
    known = np.flatnonzero(at >= 0)
    for name in [c for c in out.columns if c in expected.columns and c not in ([key] if isinstance(key, str) else key)]:
        same = column(expected[name]).logical == column(out[name]).logical
        if same and len(known):
            cells = out[name].astype(object)
            cells.iloc[known] = expected[name].astype(object).to_numpy()[at[known]]
            out[name] = cells.astype(expected[name].dtype)


def _with_noise(c: ColumnParity, noise: Noise, judged: Judged | None) -> ColumnParity:
    if c.column in noise.differing:
        allowed = allowed_rows(noise.differing[c.column], c.rows, noise.rows, noise.judged)
        return replace(c, allowed=max(c.allowed, allowed))
    if judged is None or c.ok:
        return c
    if judged.shift:
        detail = (
            f"all rows moved together, by {abs(judged.shift):.3g} standard deviations of the noise recorded at capture "
            f"({'up' if judged.shift > 0 else 'down'})"
        )
        return replace(c, cause=Cause("noise-shift", detail))
    if judged.spread:
        detail = f"the rows scatter {judged.spread:.3g} times as widely as the noise recorded at capture"
        return replace(c, cause=Cause("noise-spread", detail))
    return c
