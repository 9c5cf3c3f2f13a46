"""OpenAPI documents: their content, and how two of them differ."""
