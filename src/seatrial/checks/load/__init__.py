"""The load check: the latency SLO under an open-loop load."""
