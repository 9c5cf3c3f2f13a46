"""Compare two columns cell by cell: where they differ, where one is null, and by how much."""

from seatrial.cells.columns import compare_columns
from seatrial.cells.where import Cells

__all__ = ["Cells", "compare_columns"]
