"""The quality check: metrics meet their limits, and are not worse than the champion's."""
