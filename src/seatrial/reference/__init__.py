"""What training saw: captured, stored, loaded and looked up."""
