"""The golden check: the whole path answers as the reference recorded it, in process and through the service."""
