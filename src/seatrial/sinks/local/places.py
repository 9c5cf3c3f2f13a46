"""Where local evidence is, without what is slow to import."""

from __future__ import annotations

from pathlib import Path

FOLDER, FILE, FORMAT = "private", "evidence.json", 1  # FOLDER is below the state


def private_folder(state: Path, results: Path) -> Path:
    """Return the folder of the local evidence of the validation whose results are in ``results``.

    Example:
        >>> private_folder(Path("s"), Path("s/reports/shop-2/20260101T000000Z-1f")).as_posix()
        's/private/shop-2/20260101T000000Z-1f'
    """
    return state / FOLDER / results.parent.name / results.name
