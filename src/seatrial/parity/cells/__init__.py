"""Compare two columns cell by cell: where they differ, where one is null, and by how much."""

from seatrial.parity.cells.columns import compare_columns
from seatrial.parity.cells.difference import Cells

__all__ = ["Cells", "compare_columns"]
