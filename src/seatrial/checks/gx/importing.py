"""The import of Great Expectations."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType

from seatrial.io.lean import SELDOM_USED, when_used


def great_expectations() -> ModuleType:
    """Return the package, imported once a process (about a second)."""
    with warnings.catch_warnings(), when_used(*SELDOM_USED):
        warnings.simplefilter("ignore")  # its imports use names that newer pandas, numpy and pydantic deprecate
        return importlib.import_module("great_expectations")
