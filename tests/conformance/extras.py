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
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = list(pool.map(lambda extra: problem(extra, extras[extra]), extras))
    for extra, found in zip(extras, problems, strict=True):
        print(f"seatrial[{extra}]: {found or 'resolves'}")  # noqa: T201  what it is run for
    return sum(bool(found) for found in problems)


def problem(extra, requirements):
    """Return why an extra cannot be installed; empty where it can."""
    pinned, why = compiled("--extra", extra, "pyproject.toml")
    if why:
        return why
    missing = {name(r) for r in requirements if ";" not in r} - {name(line) for line in pinned} - {"seatrial"}
    return f"resolved without {', '.join(sorted(missing))}" if missing else ""


def compiled(*words):
    """Return the exact releases that an installer would take, and why there are none; empty where there are."""
    command = [uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python", sys.executable]
    done = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if not done.returncode:
        return done.stdout.splitlines(), ""
    if UNREACHABLE.search(done.stderr):
        return [], f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1][:200]}"
    return [], done.stderr.strip()[-2_000:]


def uv():
    """Return the installer: the one beside this interpreter, or the one on the path."""
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if not found:
        raise SystemExit("uv is not installed: pip install uv")
    return found


def name(requirement):
    """Return the normal name of the package that a requirement is of."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


if __name__ == "__main__":
    sys.exit(bool(main()))
