"""Frame operators of mutation tests: one file a kind of change."""
