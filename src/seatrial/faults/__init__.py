"""Faults: on the wire to a dependency, and on its answers. Each is undone when its block ends."""
