"""Weights & Biases: verdicts as runs, and its Registry as a registry."""
