"""Compare two columns cell by cell: which differ, which are null on one side, and by how much."""

from seatrial.parity.cells.columns import compare_columns
from seatrial.parity.cells.difference import Cells

__all__ = ["Cells", "compare_columns"]
