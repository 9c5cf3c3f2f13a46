"""What is changed in a mutant: one file a kind of change."""
