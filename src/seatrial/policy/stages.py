"""What must hold of one stage: its file in expectations/."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from seatrial.errors import PolicyError, nearest, unknown
from seatrial.metrics import metric
from seatrial.parity.tolerance import Tolerance
from seatrial.reference.snapshot import Reference

SETTINGS = ("tolerances", "expectations", "quality", "show")  # of a stage's file


@dataclass(frozen=True)
class Quality:
    """What the predictions must be worth where the reference carries labels.

    Attributes:
        label: the label column, with 1 or true for the event.
        score: the column of the stage that holds the score.
        limits: metric name (see ``seatrial.metrics``) to its lowest (or for losses highest) acceptable value.
        slices: columns of any earlier stage; each value with enough rows is evaluated separately.
        margin: how much worse than the champion still counts as not worse, stated beforehand: in the metric's
            own unit where higher is better, for losses a share of the champion's value.
        confidence: of the paired bootstrap's one-sided bound.
    """

    label: str
    score: str
    limits: Mapping[str, float]
    slices: Sequence[str] = ()
    margin: float = 0.01
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name in self.limits:
            metric(name)
        if not self.margin >= 0:
            raise PolicyError(f"Quality(margin={self.margin!r}): a margin is 0 or more.")
        if not 0.5 < self.confidence < 1:
            raise PolicyError(f"Quality(confidence={self.confidence!r}): a confidence lies between 0.5 and 1.")


@dataclass(frozen=True)
class StagePolicy:
    """What must hold of one stage's frame.

    Attributes:
        tolerances: by column, the largest difference from training.
        expectations: called with the reference, gives Great Expectations expectations for the real frame.
        quality: limits on what the predictions are worth.
        show: columns whose values may appear in reports; every other column shows keys and counts alone.
    """

    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    expectations: Callable[[Reference], Sequence[Any]] | None = None
    quality: Quality | None = None
    show: Sequence[str] = ()


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
    if not isinstance(tolerances, Mapping) or not all(isinstance(t, Tolerance) for t in tolerances.values()):
        raise PolicyError(f"{path}: 'tolerances' maps column names to seatrial.Tolerance(...).")
    if not callable(found.get("expectations", len)):
        raise PolicyError(f"{path}: 'expectations' is a function of the reference that returns a list of expectations.")
    show = found.get("show", ())
    if not isinstance(show, list | tuple | set | frozenset) or not all(isinstance(c, str) for c in show):
        raise PolicyError(f"{path}: 'show' is a list of column names.")
    if not isinstance(found.get("quality"), Quality | None):
        raise PolicyError(f"{path}: 'quality' is a seatrial.Quality(...).")
    return StagePolicy(**found)
