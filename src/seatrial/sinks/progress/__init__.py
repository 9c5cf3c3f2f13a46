"""Progress as it is shown while something runs."""
