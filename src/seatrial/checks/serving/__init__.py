"""Shared parts of the checks that use the live service."""
