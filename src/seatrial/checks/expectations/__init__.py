"""The expectations check: every stage matches the reference."""
