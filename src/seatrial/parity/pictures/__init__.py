"""Pictures of a column that differs, training against serving, without its values."""

from seatrial.parity.pictures.picture import picture

__all__ = ["picture"]
