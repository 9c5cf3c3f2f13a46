"""The expectations check: every stage replay matches the reference."""
