"""``python -m seatrial``."""

from seatrial.cli import console

console()
