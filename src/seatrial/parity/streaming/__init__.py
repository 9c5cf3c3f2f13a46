"""The comparison of two tables that need not fit in memory."""

from seatrial.parity.streaming.compare import compare_datasets
from seatrial.parity.streaming.comparison import Comparison, State
from seatrial.parity.streaming.parts import Part
from seatrial.parity.streaming.runner import InProcess, Runner
from seatrial.parity.streaming.settled import Streamed
from seatrial.parity.streaming.tables import Dataset, dataset

__all__ = ["Comparison", "Dataset", "InProcess", "Part", "Runner", "State", "Streamed", "compare_datasets", "dataset"]
