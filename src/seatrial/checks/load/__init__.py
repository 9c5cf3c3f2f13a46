"""The load check: the latency objective under an open-loop load."""
