"""OpenAPI documents: what they say, and how two of them differ."""
