"""What runs in the project's own interpreter: the standard library, pandas, pyarrow, and the core that stages need."""
