"""What the checks of the live service share."""
