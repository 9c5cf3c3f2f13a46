"""The environment that a version brings: what it carries, and how uv builds it."""
