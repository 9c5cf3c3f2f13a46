"""Import Great Expectations without what it imports for a few of its expectations and their pictures alone."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

SELDOM_USED = ("altair", "scipy.stats")  # a third of the time that its import takes


class _WhenUsed(ModuleType):
    """Stands for a module until something of it is wanted."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def when_used(*names: str) -> Iterator[None]:
    """Let what is imported in the block have these modules as they are used; whoever imports them later gets them.

    Example:
        >>> with when_used("tabnanny"):
        ...     import tabnanny
        >>> "tabnanny" in sys.modules, tabnanny.verbose, "tabnanny" in sys.modules
        (False, 0, True)
    """
    standing = {name: _WhenUsed(name) for name in names if name not in sys.modules}
    sys.modules.update(standing)
    try:
        yield
    finally:
        for name, module in standing.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
