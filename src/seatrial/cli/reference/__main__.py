"""Write the generated pages: ``python -m seatrial.cli.reference docs``."""

import sys
from pathlib import Path

from seatrial.cli.reference import write

print(*write(Path(sys.argv[1])), sep="\n")  # noqa: T201
