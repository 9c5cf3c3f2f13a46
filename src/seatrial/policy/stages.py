"""What must hold of one stage: its file in expectations/."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from seatrial.errors import PolicyError, nearest, unknown
from seatrial.parity.agreement.choose import Allowed, check_allowed
from seatrial.parity.agreement.cosine import Cosine
from seatrial.parity.agreement.json import Json
from seatrial.parity.agreement.text import Text
from seatrial.parity.agreement.topk import TopK
from seatrial.parity.columns import Column
from seatrial.parity.reading import column
from seatrial.parity.tolerance import Tolerance
from seatrial.policy.quality import Quality, check_qualities
from seatrial.reference.snapshot import Reference

SETTINGS = ("tolerances", "expectations", "quality", "show")  # of a stage's file


@dataclass(frozen=True)
class StagePolicy:
    """What must hold of one stage's frame.

    Attributes:
        tolerances: by column or pattern (``score*``), what may differ from training: ``Tolerance``, ``Cosine``,
            ``TopK``, ``Text`` or ``Json``. The most specific holds.
        expectations: called with the reference, gives Great Expectations expectations for the real frame.
        quality: limits on what the predictions are worth; a list where a stage predicts several things.
        show: columns whose values may appear in reports; every other column shows keys and counts alone.
    """

    tolerances: Mapping[str, Allowed] = field(default_factory=dict)
    expectations: Callable[[Reference], Sequence[Any]] | None = None
    quality: Quality | Sequence[Quality] | None = None
    show: Sequence[str] = ()

    @property
    def qualities(self) -> tuple[Quality, ...]:
        """Return each ``Quality`` of the stage."""
        if self.quality is None:
            return ()
        return (self.quality,) if isinstance(self.quality, Quality) else tuple(self.quality)


def _stage_policy(path: Path, module: ModuleType) -> StagePolicy:
    public = {n: v for n, v in vars(module).items() if not n.startswith("_")}
    found = {n: public[n] for n in SETTINGS if n in public}
    for name, value in public.items():
        if (
            name not in SETTINGS
            and getattr(value, "__module__", module.__name__) == module.__name__
            and nearest(name, SETTINGS)
        ):
            raise PolicyError(f"{path}: {unknown('Setting', name, SETTINGS)}")
    tolerances = found.get("tolerances", {})
    if not isinstance(tolerances, Mapping) or not all(isinstance(name, str) for name in tolerances):
        raise PolicyError(f"{path}: 'tolerances' maps column names to seatrial.Tolerance(...) and its like.")
    for name, allowed in tolerances.items():
        if not isinstance(allowed, (Tolerance, Cosine, TopK, Text, Json)):
            raise PolicyError(
                f"{path}: 'tolerances' maps column names to seatrial.Tolerance(...), Cosine, TopK, Text or Json; "
                f"'{name}' has a {type(allowed).__name__}."
            )
    if not callable(found.get("expectations", len)):
        raise PolicyError(f"{path}: 'expectations' is a function of the reference that returns a list of expectations.")
    show = found.get("show", ())
    if not isinstance(show, list | tuple | set | frozenset) or not all(isinstance(c, str) for c in show):
        raise PolicyError(f"{path}: 'show' is a list of column names.")
    if "quality" in found:
        check_qualities(str(path), found["quality"])
    return StagePolicy(**found)


def check_tolerances(
    stages: Mapping[str, StagePolicy], reference: Reference, key_of: Callable[[str], Sequence[str]]
) -> None:
    """Check that every declared tolerance can apply to the reference, before anything is judged.

    Raises:
        PolicyError: a tolerance for no column, for the key, or of a kind that cannot apply to its column.
    """
    for stage, policy in stages.items():
        if policy.tolerances and stage in reference.stages:
            frame = reference.frame(stage)
            read = partial(_column, frame)
            check_allowed(
                policy.tolerances, list(frame.columns), key_of(stage), read, where=f"expectations/{stage}.py: "
            )


def _column(frame: pd.DataFrame, name: str) -> Column:
    return column(frame[name])
