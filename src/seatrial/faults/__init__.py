"""Faults on the connections of a dependency and on its responses. Each is undone when its block ends."""
