"""Displays of a verdict: one file a medium, each a plain function of a finished verdict."""
