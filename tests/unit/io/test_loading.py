"""A file is loaded by its path as a module of its own; what stops it is said with file and line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from seatrial.errors import ProjectError, UsageError
from seatrial.io.loading import load_file


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_may_import_its_neighbours_now_and_later(tmp_path):
    """Modules beside the file are found while it loads, and when its functions run."""
    written(tmp_path / "neighbour_now.py", "VALUE = 1")
    written(tmp_path / "neighbour_late.py", "VALUE = 2")
    module = load_file(
        written(
            tmp_path / "main.py",
            "from neighbour_now import VALUE\ndef late():\n    from neighbour_late import VALUE\n    return VALUE\n",
        )
    )
    assert (module.VALUE, module.late()) == (1, 2)
    assert sys.path[0] != str(tmp_path)


def test_its_own_neighbours_come_first_while_it_loads(tmp_path, monkeypatch):
    """Though its folder is on the path already, behind another with a neighbour of the same name; there it stays."""
    written(tmp_path / "other" / "same_neighbour.py", "VALUE = 'other'")
    written(tmp_path / "own" / "same_neighbour.py", "VALUE = 'own'")
    path = [str(tmp_path / "other"), str(tmp_path / "own"), *sys.path]
    monkeypatch.setattr(sys, "path", list(path))
    main = load_file(written(tmp_path / "own" / "main.py", "from same_neighbour import VALUE"))
    assert main.VALUE == "own"
    assert sys.path == path


def test_neighbours_shadow_no_library_later(tmp_path):
    """A folder with a file named like a library stands behind all others once the file is loaded."""
    written(tmp_path / "colorsys.py", "raise RuntimeError('shadowed')")
    sys.modules.pop("colorsys", None)
    load_file(written(tmp_path / "main.py", ""))
    import colorsys

    assert colorsys.rgb_to_hsv(1, 1, 1) == (0.0, 0.0, 1)


def test_two_files_of_one_name_are_two_modules(tmp_path):
    """The folder is part of a module's name."""
    one, two = (load_file(written(tmp_path / d / "pipeline.py", f"NAME = '{d}'")) for d in ("one", "two"))
    assert (one.NAME, two.NAME) == ("one", "two")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\ndef f(:\n", r"main\.py, line 2: invalid syntax. The file does not parse"),
        ("x = 1\n  y = 2\n", r"main\.py, line 2: unexpected indent. The file does not parse"),
        ("x = 'a\x00b'", r"main\.py, line .*"),
        ("import broken_neighbour\n", r"broken_neighbour\.py, line 3: .* The file does not parse"),
        ("\nimport raising_neighbour\n", r"main\.py, line 2: ValueError: no. The file could not be loaded"),
        ("\n\n1 / 0\n", r"main\.py, line 3: ZeroDivisionError: division by zero. The file could not be loaded"),
        ("import sys\n\nsys.exit(0)\n", r"main\.py, line 3: SystemExit: 0. The file could not be loaded"),
        ("import argparse\nargparse.ArgumentParser().parse_args(['--x'])", r"main\.py, line 2: SystemExit: 2"),
        ("from seatrial import Pipeline\nPipeline('p', key='id')", r"main\.py, line 2: Pipeline 'p' has 0 stage"),
        ("from seatrial import Pipelin", r"main\.py, line 1: ImportError"),
    ],
)
def test_what_stops_a_file_is_said_with_its_line(text, says, tmp_path):
    """One message, of the type that was asked for, and the line in the file that leads there."""
    written(tmp_path / "broken_neighbour.py", "\n\nx = = 1")
    written(tmp_path / "raising_neighbour.py", "raise ValueError('no')")
    with pytest.raises(ProjectError, match=says) as caught:
        load_file(written(tmp_path / "main.py", text), ProjectError)
    assert "Traceback" not in str(caught.value)


def test_bytes_that_are_no_text_are_said(tmp_path):
    """A file in another encoding does not parse."""
    (tmp_path / "main.py").write_bytes(b"x = '\xff'")
    with pytest.raises(UsageError, match=r"main\.py"):
        load_file(tmp_path / "main.py")


def test_a_file_that_is_not_there_or_no_python_is_said(tmp_path):
    """A missing path, a folder, another kind of file."""
    with pytest.raises(ProjectError, match=r"There is no file .*nowhere\.py"):
        load_file(tmp_path / "nowhere.py", ProjectError)
    with pytest.raises(UsageError, match="There is no file"):
        load_file(tmp_path)
    with pytest.raises(UsageError, match=r"main\.txt is not a Python file"):
        load_file(written(tmp_path / "main.txt", "x = 1"))
