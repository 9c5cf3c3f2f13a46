"""Cells of any supported Python type, and the columns that hold them, as Arrow arrays and back."""
