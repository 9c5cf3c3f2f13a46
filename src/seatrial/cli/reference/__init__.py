"""The pages of the documentation that are made from the code: commands, causes of findings, settings, the NIST map.

``python -m seatrial.cli.reference docs`` writes them below ``docs/``; a test says when they are out of date.
"""

from __future__ import annotations

from pathlib import Path

from seatrial.cli import schema
from seatrial.cli.reference import assurance, causes, commands


def pages(docs: Path) -> dict[Path, str]:
    """Return the content of every generated file below ``docs``.

    Example:
        >>> sorted(path.name for path in pages(Path("docs")) if path.parent.name == "reference")[:2]
        ['causes.md', 'commands.md']
    """
    files = {docs / "schemas" / f"{name}.schema.json": schema.text(name) for name in schema.MODELS}
    files |= {docs / "reference" / f"{name}.md": schema.reference(name) for name in schema.MODELS}
    return files | {
        docs / "reference" / "causes.md": causes.page(),
        docs / "reference" / "commands.md": commands.page(),
        docs / "explanation" / "nist-ai-rmf.md": assurance.page(),
    }


def write(docs: Path) -> list[Path]:
    """Write every generated file below ``docs`` and return the files."""
    files = pages(docs)
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return list(files)
