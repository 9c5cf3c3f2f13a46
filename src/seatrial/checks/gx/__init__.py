"""Great Expectations: the only package that imports it."""
