"""The golden check: the whole path gives what was recorded, in process and live."""
