"""``seatrial doctor``: what a validation needs, what of it is there, and what to type for the rest."""
