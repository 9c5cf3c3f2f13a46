"""What ``seatrial diff`` found in two files, and its forms: console, JSON, HTML."""
