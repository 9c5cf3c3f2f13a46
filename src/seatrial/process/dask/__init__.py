"""Dask clusters: how they are named and reached, and work on parts by their workers."""
