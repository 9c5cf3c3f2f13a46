"""What is passed to uv, and what its words mean to a reader."""

from __future__ import annotations

import shutil
import sys

import pytest

from seatrial.errors import EnvironmentUnavailable
from seatrial.isolation.environments import uv

ADDRESS = "https://ann:se%40cret@packages.example/simple"
WORDS = {
    "The package index cannot be reached": (
        "error: Request failed after 3 retries in 6.2s\n  cause: Failed to fetch: http://127.0.0.1:9/simple/six/\n"
        "  cause: tcp connect error\n  cause: Connection refused (os error 111)",
        "hint: Packages were unavailable because the network was disabled. When the network is disabled, …",
        "  cause: dns error\n  cause: failed to lookup address information: Name or service not known",
    ),
    "The requirements cannot be met together.": (
        "error: No solution found when resolving dependencies\n  cause: Because you require six==1.5.3 and six>=2",
    ),
    "A package has no wheel for this Python and platform.": (
        "  cause: Because pyspark==3.5.0 has no usable wheels and you require pyspark==3.5.0, …\n\n"
        "hint: Wheels are required for `pyspark` because building from source is disabled for all packages",
    ),
    "That release of Python is not on this machine": (
        "error: No interpreter found for Python 3.14 in managed installations or search path",
        "  cause: error sending request for url (https://host.example/python-build-standalone/cpython-3.14.tar.gz)\n"
        "  cause: client error (Connect)",
    ),
    "The package index refuses access.": ("hint: An index URL could not be queried: (401 Unauthorized)",),
    "uv ended with code 2.": ("error: Hash mismatch for `six==1.17.0`",),
}


@pytest.mark.parametrize(("meaning", "words"), [(m, w) for m, every in WORDS.items() for w in every])
def test_the_words_of_uv_are_explained_and_quoted(meaning, words):
    """The reader learns what it means and what to do, and sees the evidence."""
    said = uv.explained(words, 2, {})
    assert said.startswith(meaning)
    assert words.splitlines()[-1] in said


def test_a_long_report_is_cut_to_its_end():
    """The reason stands last."""
    said = uv.explained("\n".join(f"line {n} " + "x" * 300 for n in range(1000)), 1, {})
    assert len(said) < 2000
    assert "line 999" in said


def test_no_credentials_are_shown():
    """Neither those of an address, nor those that the environment holds for an index."""
    said = uv.explained(f"Failed to fetch: {ADDRESS}/six and token tok-123", 2, {"UV_INDEX_OURS_PASSWORD": "tok-123"})
    assert "https://***@packages.example/simple/six and token ***" in said


def test_settings_of_the_index_are_passed_on_and_nothing_secret():
    """uv sees where packages are, and none of the rest."""
    given = {
        "PATH": "/bin", "UV_DEFAULT_INDEX": ADDRESS, "UV_INDEX_OURS_PASSWORD": "p", "HTTPS_PROXY": "http://proxy.example",
        "SSL_CERT_FILE": "/certs", "AWS_SECRET_ACCESS_KEY": "k", "UV_PYTHON": "3.9", "UV_PROJECT_ENVIRONMENT": "/x",
        "PYTHONPATH": "/y", "VIRTUAL_ENV": "/z",
    }  # fmt: skip
    dropped = {"AWS_SECRET_ACCESS_KEY", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH", "VIRTUAL_ENV"}
    assert uv.environment(given) == {name: value for name, value in given.items() if name not in dropped}


def test_pips_settings_become_uvs():
    """As pip ranks them: a variable over the section of the command, and that over the global one."""
    index, extra, links, host, cert = (
        name.replace("_", "-") for name in ("index_url", "extra_index_url", "find_links", "trusted_host", "cert")
    )
    listed = (
        f":env:.{index}='https://c.example/simple'\nglobal.{index}='https://a.example/simple'\n"
        f"global.{extra}='https://d.example/simple\\nfile:///srv/simple'\nglobal.timeout='60'\n"
        f"install.{index}='https://b.example/simple'\nglobal.{links}='/srv/a /srv/b'\nglobal.{host}='a.example'\n"
        f"global.{cert}='/srv/ca.pem'\ndownload.{cert}='/srv/other.pem'\nnonsense\nglobal.{cert}=oops(\n"
    )
    assert uv.from_pip(listed) == {
        "UV_DEFAULT_INDEX": "https://c.example/simple",
        "UV_INDEX": "https://d.example/simple file:///srv/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/srv/a,/srv/b",
        "UV_INSECURE_HOST": "a.example",
        "SSL_CERT_FILE": "/srv/ca.pem",
    }


def test_without_uv_the_reader_learns_what_to_type(monkeypatch):
    """It is an optional package."""
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(EnvironmentUnavailable, match=r"not installed here.* pip install uv"):
        uv.executable()
