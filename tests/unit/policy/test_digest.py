"""A policy's digest follows what its files say, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.policy.digest import policy_digest

PYTHON = """tolerances = {"a": 1}  # why


def f(x):
    '''Doc # no comment

    and more.'''
    return f"{x} # text"
"""
TOML = "# head\n[slo]\nrate = 10  # requests/s\nlimit_ms = 250\n"
JSON = '{"a": 1, "b": [1, 2]}'


def digest(folder: Path, **files: str) -> str:
    """Return the digest of a policy with these files."""
    for old in folder.iterdir():
        old.unlink()
    given = {"raw_py": PYTHON, "service_toml": TOML, "example_json": JSON, **files}
    for name, text in given.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return policy_digest(folder)


@pytest.mark.parametrize(
    "files",
    [
        {"raw_py": "# new\n" + PYTHON.replace("  # why", "").replace("\n\n\ndef", "\n\ndef")},
        {"raw_py": PYTHON.replace("return f", "return f", 1).replace("# why", "# because")},
        {"service_toml": "[slo]\nlimit_ms = 250\nrate = 10\n"},
        {"example_json": '{\n "b": [1, 2],\n "a": 1\n}\n'},
    ],
)
def test_comments_and_layout_say_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    """So a comment does not take a version's pass back."""
    assert digest(tmp_path, **files) == digest(tmp_path)


@pytest.mark.parametrize(
    "files",
    [
        {"raw_py": PYTHON.replace('"a": 1', '"a": 2')},
        {"raw_py": PYTHON.replace("# text", "# test")},
        {"raw_py": PYTHON.replace("# no comment\n\n", "# no comment\n")},
        {"raw_py": PYTHON.replace("    return", "  \n    return None\n    return")},
        {"raw_py": PYTHON + "tolerances = {\n"},
        {"service_toml": TOML.replace("250", "251")},
        {"service_toml": TOML + "rate = 11\n"},
        {"example_json": '{"a": 1, "b": [2, 1]}'},
        {"other_md": "text"},
    ],
)
def test_every_other_change_counts(tmp_path: Path, files: dict[str, str]) -> None:
    """Also within a text, in what does not parse, and of a further file."""
    assert digest(tmp_path, **files) != digest(tmp_path)
