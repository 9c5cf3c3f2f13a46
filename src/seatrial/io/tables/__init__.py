"""Files of rows: which kinds there are, and how one is read as a frame."""
