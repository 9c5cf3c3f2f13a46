"""The policy: what must hold, read from ``expectations/``."""
