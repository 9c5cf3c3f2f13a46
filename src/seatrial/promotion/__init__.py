"""What follows from a verdict: effects, aliases, signed statements, and their verification."""
