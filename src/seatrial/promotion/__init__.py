"""What a verdict does: effects, aliases, signed statements, and their verification."""
