"""Resolve each extra alone beside the core, as a user installs it: without the lock, and without downloading it.

``python tests/conformance/extras.py`` ends with 1 and the reason where one cannot be installed.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from environments import UNREACHABLE

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 4


def main():
    """Print a line an extra; return how many cannot be installed."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if not uv or not extras:
        print("uv is not installed, or there are no extras")  # noqa: T201
        return 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = list(pool.map(lambda extra: problem(uv, extra, extras[extra]), extras))
    for extra, found in zip(extras, problems, strict=True):
        print(f"seatrial[{extra}]: {found or 'resolves'}")  # noqa: T201  what it is run for
    return sum(bool(found) for found in problems)


def problem(uv, extra, requirements):
    """Return why an extra cannot be installed; empty where it can."""
    command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python", sys.executable]
    done = subprocess.run(
        [*command, "--extra", extra, "pyproject.toml"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        if UNREACHABLE.search(done.stderr):
            return f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1][:200]}"
        return done.stderr.strip()[-2_000:]
    resolved = {name(line) for line in done.stdout.splitlines()}
    missing = {name(r) for r in requirements if ";" not in r} - resolved - {"seatrial"}
    return f"resolved without {', '.join(sorted(missing))}" if missing else ""


def name(requirement):
    """Return the normal name of the package that a requirement is of."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


if __name__ == "__main__":
    sys.exit(bool(main()))
