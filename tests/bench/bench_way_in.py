"""How long a new user waits: ``python tests/bench/bench_way_in.py [--check]`` plays the tutorial and prints wall times.

What it must keep: from an existing repository to the first pass in under three minutes of commands, on two cores that
nothing else uses.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.tutorial import Block, play, sections  # noqa: E402

LIMIT_SECONDS = 180.0
PAGE = sections("tutorial/first-service.md")
KINDS = {"FastAPI": "FastAPI", "Flask": "Flask with gunicorn"}


def until_first_pass(blocks: list[Block]) -> list[Block]:
    """Return the blocks up to the first validation."""
    last = next(n for n, each in enumerate(blocks) if each.language == "console" and "seatrial validate" in each.text)
    return blocks[: last + 1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="end with code 1 where one takes longer than the limit")
    chosen = parser.parse_args()
    late = False
    training = [block for block in PAGE["FastAPI"] if block.language == "python" and block.title != "app.py"]
    for name, section in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            for block in training:
                (Path(folder) / block.title).write_text(block.text, encoding="utf-8")
            played = play(until_first_pass(PAGE[section]), Path(folder))
        print(f"{name}: {played.written} lines written")
        for command, seconds in played.seconds.items():
            print(f"  {seconds:6.1f} s  {command}")
        total = sum(played.seconds.values())
        late |= total > LIMIT_SECONDS
        print(f"  {total:6.1f} s  to the first pass; the limit is {LIMIT_SECONDS:.0f} s")
    return int(late and chosen.check)


if __name__ == "__main__":
    raise SystemExit(main())
