"""The comparison of two tables that need not fit in memory."""

from seatrial.parity.streaming.compare import Streamed, compare_datasets
from seatrial.parity.streaming.tables import Dataset, dataset

__all__ = ["Dataset", "Streamed", "compare_datasets", "dataset"]
