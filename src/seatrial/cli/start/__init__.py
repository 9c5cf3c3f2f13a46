"""``seatrial init`` in a repository that exists, and ``seatrial doctor``."""
