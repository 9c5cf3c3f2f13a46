"""Compare two columns cell by cell: which differ, which are null on one side, and by how much."""

from seatrial.parity.cells.columns import compare_columns
from seatrial.parity.cells.difference import Cells, Place
from seatrial.parity.cells.objects import second_look, walked
from seatrial.parity.cells.rules import Rule

__all__ = ["Cells", "Place", "Rule", "compare_columns", "second_look", "walked"]
