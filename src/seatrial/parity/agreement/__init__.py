"""What else than a tolerance may be allowed of a column: vectors, ranked lists, text, nested cells."""
