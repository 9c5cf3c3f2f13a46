"""Schemas of OpenAPI documents: brought to one form, compared, and held against values."""
