"""What fixtures.toml may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.errors import FixtureError
from seatrial.fixtures.spec_file import declared, read


def write(path: Path, text: str) -> Path:
    (path / "fixtures.toml").write_text(text, encoding="utf-8")
    return path / "fixtures.toml"


def test_a_whole_file(tmp_path: Path) -> None:
    """Fixtures, columns and the budget are read."""
    found = read(write(tmp_path, """
        [budget]
        epsilon = 3
        delta = 1e-6
        [fixtures.people]
        source = "fake"
        rows = 10
        [fixtures.people.columns]
        name = { provider = "name" }
        """))  # fmt: skip
    assert found.budget.epsilon == 3.0
    assert found["people"].columns["name"].provider == "name"
    with pytest.raises(FixtureError, match="Did you mean 'people'"):
        found["poeple"]


TWO = "[fixtures.a]\nsource = 'fake'\nrows = 3\n[fixtures.a.columns.x]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fixture.a]", "Did you mean 'fixtures'"),
        ("[fixtures.a]\nsource = 'copla'", "Did you mean 'copula'"),
        ("[fixtures.a]\nsource = 'copula'\nrow = 3", "Did you mean 'rows'"),
        ("[fixtures.a]\nsource = 'copula'", "'rows' says how many"),
        ("[fixtures.a]\nsource = 'copula'\nrows = '3'", "is not of type int"),
        ("[fixtures.a]\nsource = 'copula'\nrows = true", "is not of type int"),
        (TWO + "provder = 'name'", "Did you mean 'provider'"),
        (TWO + "nulls = 0.5", "says not how it is made"),
        (TWO + "like = 'a'\nprovider = 'b'", "made in two ways"),
        (TWO + "like = 'a'\nrho = 0.5", "both or none"),
        (TWO + "like = 'a'\nnulls = 1.5", "no share"),
        ("[fixtures.a]\nsource = 'private'\nrows = 3\nepsilon = 1.0", "'delta' is a number above 0"),
        ("[fixtures.a]\nsource = 'private'\nrows = 3\nepsilon = 1\ndelta = 1e-6\nmethod = 'mts'", "mean 'mst'"),
        ("[fixtures.'../a']\nsource = 'copula'\nrows = 3", "names a directory"),
        ("[budget]\nepsilon = 0\ndelta = 1", "above 0"),
        ("x =", "not TOML"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """The error names the place and the nearest match."""
    with pytest.raises(FixtureError, match=message):
        read(write(tmp_path, text))


def test_a_declaration_reads_back() -> None:
    """The manifest's declaration is the declaration, columns in their order."""
    table = {
        "source": "fake",
        "rows": 5,
        "columns": {"b": {"like": "b"}, "a": {"values": [1, 2], "weights": [0.5, 0.5]}},
    }
    first = declared("x", table)
    again = declared("x", first.to_json())
    assert again == first
    assert list(again.columns) == ["b", "a"]


def test_no_file_says_what_to_write(tmp_path: Path) -> None:
    """A project without the file is told what belongs there."""
    with pytest.raises(FixtureError, match=r"\[fixtures.<name>\]"):
        read(tmp_path / "fixtures.toml")
