"""``seatrial diff``: compare two files by key, with the comparison that validations use."""
