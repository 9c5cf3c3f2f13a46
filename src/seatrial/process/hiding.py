"""Copy standard input to standard output without credentials: ``python -m seatrial.process.hiding``.

The first line is a JSON list of the texts to hide; users, passwords and queries of addresses are hidden besides.
"""

from __future__ import annotations

import json
import sys
from functools import partial

from seatrial.formatting import without_user

HIDDEN = "***"
LONGEST = 2**20  # bytes of a line; what is longer is copied in parts


def main() -> None:
    """Copy line by line, each at once, until the input ends."""
    read, write = partial(sys.stdin.buffer.readline, LONGEST), sys.stdout.buffer
    hidden: list[str] = json.loads(sys.stdin.buffer.readline() or b"[]")
    for line in iter(read, b""):
        text = without_user(line.decode("utf-8", "surrogateescape"))
        for each in hidden:
            text = text.replace(each, HIDDEN)
        write.write(text.encode("utf-8", "surrogateescape"))
        write.flush()


if __name__ == "__main__":
    main()
