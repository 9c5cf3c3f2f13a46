"""The comparison of two frames."""
