"""Load: a schedule made up front, a client that keeps to it, and statistics that do not flatter."""
