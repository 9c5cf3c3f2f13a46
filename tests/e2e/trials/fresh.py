"""What another process, with another hash seed, makes of the same manifest."""

import os
import subprocess
import sys

from seatrial import Reference

CHECK = """
import sys
from seatrial import Reference
from seatrial.fixtures.check import check
for path in sys.argv[2:]:
    print(check(path, reference=Reference.load(sys.argv[1])))
"""


def same_in_a_fresh_process(reference: Reference, fixtures) -> None:
    """Made again by another process, with another hash seed, every fixture has its digest."""
    words = [str(reference.root), *(str(f.root) for f in fixtures)]
    env = os.environ | {"PYTHONHASHSEED": "11"}
    done = subprocess.run([sys.executable, "-c", CHECK, *words], env=env, check=True, capture_output=True, text=True)
    assert done.stdout.count("the same when made again") == len(fixtures), done.stdout
