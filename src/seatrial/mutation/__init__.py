"""Mutation test: small changes of a passing pipeline, to see which of them its reference and policy detect."""
