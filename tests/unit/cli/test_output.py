"""What becomes of output that nobody reads to its end, as in ``seatrial schema service | head``."""

from __future__ import annotations

import os

import pytest

from seatrial.cli.app import main


@pytest.mark.parametrize("words", [["schema", "service"], ["plugins", "--json"]])
def test_a_reader_that_left_is_no_error(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No message and no traceback; the code says that not all was written, where the command could tell."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as output:
        monkeypatch.setattr("sys.stdout", output)
        with pytest.raises(SystemExit) as end:
            main(words)
    assert end.value.code in (0, 2)
    assert capsys.readouterr().err == ""
