"""Great Expectations, used by the checks; no other package imports it."""
