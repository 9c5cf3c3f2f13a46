"""Calls of uv, the installer: with the settings of the user's package index, within a time, and its errors explained.

None of the code of a package runs here: only wheels are installed, and unpacking a wheel runs nothing.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from seatrial.errors import EnvironmentUnavailable

PASSED_ON = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_*", "TMPDIR", "XDG_*", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "UV_CACHE_DIR", "UV_CONCURRENT_*", "UV_CONFIG_FILE", "UV_CONSTRAINT", "UV_DEFAULT_INDEX", "UV_EXCLUDE_NEWER",
    "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_HTTP_*", "UV_INDEX", "UV_INDEX_*", "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER", "UV_NATIVE_TLS", "UV_NO_CONFIG", "UV_OFFLINE", "UV_PYTHON_*", "UV_REQUEST_TIMEOUT",
    "UV_SYSTEM_CERTS",
)  # fmt: skip
INDEXES = ("UV_CONFIG_FILE", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX", "UV_INDEX_URL")
FROM_PIP = {  # pip's settings, the variables of uv for the same, and what is between several values there
    "INDEX_URL": ("UV_DEFAULT_INDEX", " "),
    "EXTRA_INDEX_URL": ("UV_INDEX", " "),
    "FIND_LINKS": ("UV_FIND_LINKS", ","),
    "TRUSTED_HOST": ("UV_INSECURE_HOST", " "),
    "CERT": ("SSL_CERT_FILE", " "),
}
SECTIONS = ("global", "install", ":env:")  # of pip's configuration, the stronger ones last
LINES, CHARACTERS = 12, 1600  # of uv's own words in an error
UNREACHABLE = re.compile(
    r"error sending request|dns error|connection (refused|reset)|tcp connect|network is unreachable|timed out"
    r"|failed to lookup address|could not resolve host|network was disabled|Failed to fetch",
    re.IGNORECASE,
)
REFUSED = re.compile(r"\b(401|403)\b|unauthorized|forbidden|valid authentication credentials", re.IGNORECASE)
NO_WHEEL = re.compile(
    r"--no-build|building from source is disabled|no usable wheels|Building source distributions .*disabled"
)
UNSATISFIABLE = re.compile(r"No solution found")


def executable() -> str:
    """Return the path of uv: of the Python package, else the first on the PATH."""
    with contextlib.suppress(ImportError, FileNotFoundError):
        return str(importlib.import_module("uv").find_uv_bin())
    if found := shutil.which("uv"):
        return found
    raise EnvironmentUnavailable(
        "The version's environment is built by uv, which is not installed here. Install it: pip install uv."
    )


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of uv: settings that say where packages are and how they are reached, and few others.

    pip's settings of the index hold where uv has none of its own: users set up one of the two.
    """
    passed = {n: v for n, v in environ.items() if any(fnmatchcase(n, pattern) for pattern in PASSED_ON)}
    if not any(environ.get(name) for name in INDEXES) and not _configured(environ):
        passed = from_pip(_pip_settings(environ)) | passed
    return passed


def from_pip(listed: str) -> dict[str, str]:
    """Return the variables of uv for what ``pip config list`` printed.

    Example:
        >>> from_pip("global.timeout='9'\\n:env:.cert='/srv/authorities.pem'")
        {'SSL_CERT_FILE': '/srv/authorities.pem'}
    """
    found: dict[str, str] = {}
    for section in SECTIONS:
        for line in listed.splitlines():
            name, is_set, value = line.partition("=")
            key = name.removeprefix(f"{section}.").replace("-", "_").upper()
            if is_set and name.startswith(f"{section}.") and key in FROM_PIP:
                variable, separator = FROM_PIP[key]
                with contextlib.suppress(ValueError, SyntaxError):
                    found[variable] = separator.join(str(ast.literal_eval(value)).split())
    if "UV_INDEX" in found:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does with the same indexes
    return found


def _configured(environ: Mapping[str, str]) -> bool:
    """Whether a configuration file of uv's, of the user or the machine, names an index."""
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "/") / ".config")
    folders = [home, *map(Path, (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")), Path("/etc")]
    for file in (folder / "uv" / "uv.toml" for folder in folders):
        with contextlib.suppress(OSError):
            if re.search(r"\bindex\b|index.url|find.links", file.read_text(encoding="utf-8", errors="replace")):
                return True
    return False


def _pip_settings(environ: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, env=dict(environ), capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
        if done.returncode == 0:
            return done.stdout
    return ""  # an environment without pip has no settings of pip either


def call(arguments: Sequence[str], *, folder: Path, environ: Mapping[str, str], until: float) -> str:
    """Run uv and return what it printed on standard output.

    Args:
        arguments: of the command.
        folder: the working directory; uv reads configuration files from there upwards.
        environ: its environment.
        until: the monotonic time at which it is ended, s.

    Raises:
        EnvironmentUnavailable: uv failed or was not done in time; says why, in our words and in uv's.
    """
    command = [executable(), "--quiet", "--color", "never", *arguments]
    process = subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        output, words = process.communicate(timeout=max(0.1, until - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise EnvironmentUnavailable("uv was not done within the time allowed for the environment.") from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode:
        raise EnvironmentUnavailable(explained(words, process.returncode, environ))
    return output


def explained(words: str, code: int, environ: Mapping[str, str]) -> str:
    """Return what uv's words mean, what to do, and the last of the words without the credentials in them."""
    said = "\n".join(line.rstrip() for line in words.strip().splitlines()[-LINES:])[-CHARACTERS:]
    return f"{_meaning(words, code)} uv says:\n{redacted(said, environ)}"


def _meaning(words: str, code: int) -> str:
    if "No interpreter found" in words or "python-build-standalone" in words:
        return (
            "That release of Python is not on this machine and cannot be downloaded. Install it, and run again; "
            "'uv python install' does so where the network allows."
        )
    if UNREACHABLE.search(words):
        return (
            "The package index cannot be reached, which says nothing about the version. Check the network and the "
            "index that UV_DEFAULT_INDEX or pip's configuration names, and run again."
        )
    if REFUSED.search(words):
        return "The package index refuses access. Give uv the credentials, in UV_DEFAULT_INDEX or ~/.netrc."
    if NO_WHEEL.search(words):
        return (
            "A package has no wheel for this Python and platform. Building it from source would run its code outside "
            "the isolation, so it is not done. Put a wheel of it into your index, or make the environment yourself and "
            "name its interpreter in pyproject.toml: [tool.seatrial] python = PATH."
        )
    if UNSATISFIABLE.search(words):
        return "The requirements cannot be met together."
    return f"uv ended with code {code}."


def redacted(text: str, environ: Mapping[str, str]) -> str:
    """Return the text without user names and passwords in URLs, nor any that the environment holds for an index.

    Example:
        >>> redacted("https://ann:secret@packages.example/simple", {})
        'https://***@packages.example/simple'
    """
    for name, value in environ.items():
        if value and re.fullmatch(r"UV_INDEX_.*_(PASSWORD|USERNAME)", name):
            text = text.replace(value, "***")
    return re.sub(r"://[^/@\s]+@", "://***@", text)
