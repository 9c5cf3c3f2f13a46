"""The contract check: the live service keeps its contract, and refuses invalid requests."""
