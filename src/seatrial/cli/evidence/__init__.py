"""``seatrial evidence``: what a signed verdict supports."""
