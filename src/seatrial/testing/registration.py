"""Whether an installed package registered its extension, and what the suites share."""

from __future__ import annotations

from typing import Any

from seatrial import plugins


def require(holds: object, sentence: str) -> None:
    """Raise AssertionError with the sentence unless it holds; an ``assert`` would be silent under ``python -O``."""
    if not holds:
        raise AssertionError(sentence)


def registered(group: plugins.Group, name: str, extension: Any = None) -> None:
    """Hold an installed package to its entry point: the name is found, imports, and is the extension given.

    Args:
        group: such as ``checks``.
        name: as users select it.
        extension: the object that must be found under it.

    Raises:
        AssertionError: it is not found or is another object.

    Example:
        >>> registered("sinks", "junit")
    """
    plugins.found.cache_clear()  # what was installed since
    require(
        name in plugins.names(group),
        f"No installed package has an entry point '{name}' in the group seatrial.{group}. Install your package, "
        "editable or not, before its tests run.",
    )
    found = plugins.load(group, name)
    require(
        extension is None or found is extension,
        f"The entry point '{name}' of seatrial.{group} is {found!r:.80}, not {extension!r:.80}.",
    )
