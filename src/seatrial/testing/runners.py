"""What everything that works on parts promises."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from seatrial.errors import StageError
from seatrial.parity.streaming import Runner, compare_datasets, dataset
from seatrial.testing.registration import require

ROWS, GROUP, PART_BYTES = 20_000, 2_000, 200_000
_REFUSED = 3


def runner_conforms(runner: Runner, folder: Path) -> None:
    """Hold a runner to its protocol: every part once, in order, errors as they are, and no other result than here.

    Args:
        runner: what works on parts.
        folder: an empty directory of the test, which all processes of the runner reach.

    Raises:
        AssertionError: the first promise that is broken.

    Example:
        >>> from tempfile import mkdtemp
        >>> from seatrial.parity.streaming import InProcess
        >>> runner_conforms(InProcess(), Path(mkdtemp()))
    """
    require(not [*runner.map(_doubled, [])], "It gives a result of no part.")
    found = [*runner.map(_doubled, range(40))]
    require(found == [2 * n for n in range(40)], f"Results are not those of the parts, in their order: {found}")
    require(
        [*islice(runner.map(_doubled, range(40)), 2)] == [0, 2], "The first results are not those of the first parts."
    )
    came: list[int] = []
    try:
        came.extend(runner.map(_refuses, range(6)))
    except StageError as error:
        require((error.stage, str(error)) == ("third", "It is 3."), f"An error changes on its way: {error!r}")
    else:
        raise AssertionError("An error of the work is not raised.")
    require(came == [0, 1, 2][: len(came)], f"Before an error come other results than those before it: {came}")
    tables = _tables(folder)
    for name in ("changed", "shuffled"):
        sides = dataset(tables / "expected.parquet"), dataset(tables / f"{name}.parquet")
        here, there = (
            compare_datasets(*sides, key="id", runner=each, part_bytes=PART_BYTES) for each in (None, runner)
        )
        require(there == here, f"Of two tables, '{name}' rows, it finds something else than one process does.")


def _doubled(part: int) -> int:
    return 2 * part


def _refuses(part: int) -> int:
    if part == _REFUSED:
        raise StageError("third", f"It is {part}.")
    return part


def _tables(folder: Path) -> Path:
    """Write a table of several ranges, one with other values, and one in another order besides."""
    rng = np.random.default_rng(0)
    cells = {"id": np.arange(ROWS), **{f"f{n}": rng.random(ROWS) for n in range(6)}}
    expected = pa.table(cells)
    changed = pa.table({**cells, "f2": np.where(rng.random(ROWS) < 0.001, cells["f2"] * 1.5, cells["f2"])})
    shuffled = changed.take(pa.array(rng.permutation(ROWS)))
    for name, table in (("expected", expected), ("changed", changed), ("shuffled", shuffled)):
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=GROUP, compression="none")
    return folder
