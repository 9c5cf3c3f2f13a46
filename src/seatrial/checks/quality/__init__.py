"""The quality check: metrics within limits, and not worse than the champion."""
