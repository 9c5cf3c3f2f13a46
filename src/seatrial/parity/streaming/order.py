"""Whether the rows that two tables share are in one order, from parts that come in any."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import numpy as np

from seatrial.parity.alignment import Alignment
from seatrial.parity.columns import Array
from seatrial.parity.streaming.parts import Part, places


@dataclass
class Order:
    """What parts tell of the order: a few numbers in memory, and the places of scattered rows in files.

    Attributes:
        folder: where those files are, which whoever settles the order can read.
        in_order: no part has rows in another order.
        begins: of each part that is one piece of both tables, where it begins in them.
        files: of each other part, the places of its rows in both.
    """

    folder: Path | None
    in_order: bool = True
    begins: list[tuple[int, int]] = field(default_factory=list)
    files: tuple[Path, ...] = ()

    def add(self, part: Part, rows: Alignment) -> None:
        """Add a part, and which of its rows belong together."""
        if not self.in_order:
            return
        at = part.at_expected, part.at_actual
        if isinstance(at[0], range) and isinstance(at[1], range):
            self.in_order = rows.in_order
            if rows.expected is None or len(rows.expected):
                self.begins.append((at[0].start, at[1].start))
            return
        expected = np.asarray(at[0]) if rows.expected is None else places(at[0], rows.expected)
        actual = np.asarray(at[1]) if rows.actual is None else places(at[1], rows.actual)
        self.in_order = bool(np.all(actual[1:] > actual[:-1]))
        if self.in_order and len(expected):
            self.files += (self._kept(np.stack([expected, actual])),)

    def merge(self, other: Order) -> Order:
        """Return what the parts of both tell."""
        in_order = self.in_order and other.in_order
        return Order(self.folder, in_order, self.begins + other.begins, self.files + other.files)

    def settled(self, rows: int, step: int = 2**22) -> bool:
        """Whether the rows are in one order, in a table of so many: looked at a range after the other."""
        begins = np.array(sorted(self.begins), dtype=np.int64).reshape(-1, 2)
        if not self.in_order or np.any(np.diff(begins[:, 1]) < 0):
            return False
        kept = [np.load(file, mmap_mode="r") for file in self.files]
        last = -1
        for begin in range(0, rows if kept else 0, step):
            pairs = np.concatenate([k[:, slice(*np.searchsorted(k[0], (begin, begin + step)))] for k in kept], axis=1)
            to = pairs[1][np.argsort(pairs[0])]
            if len(to) and (to[0] < last or np.any(np.diff(to) < 0)):
                return False
            last = int(to[-1]) if len(to) else last
        return True

    def _kept(self, pairs: Array) -> Path:
        """Write places to a file; a part that is compared again writes the same one."""
        assert self.folder is not None, "parts of scattered rows need a folder"
        file = self.folder / f"order-{pairs[0, 0]}.npy"
        beside = file.with_suffix(f".{uuid4().hex}")
        with beside.open("wb") as stream:
            np.save(stream, pairs)
        beside.replace(file)
        return file
