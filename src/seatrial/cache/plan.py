"""What a validation planned and declared, so that the same one can be summed up again without loading anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from seatrial.events import Case


@dataclass(frozen=True)
class Plan:
    """One validation, before its cases ran.

    Attributes:
        pipeline: the name of the pipeline.
        cases: all that it planned, in their order.
        reusable: those whose result follows from the inputs alone.
        compared: those of them that compare with the champion's model.
        path: the places of the pipeline's path.
        dependencies: those that are dependencies.
        optional: checks whose cases may stay without a result.
        champion: the alias whose version the model is compared with; empty where it is compared with none.
        service: the folder of the service's code below the root; empty where it has none of its own.
        worker: where the stages ran, and what kept them apart.
    """

    pipeline: str
    cases: tuple[Case, ...]
    reusable: tuple[Case, ...]
    compared: tuple[Case, ...]
    path: tuple[str, ...]
    dependencies: tuple[str, ...]
    optional: tuple[str, ...]
    champion: str
    service: str
    worker: str

    def written(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return asdict(self)

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Plan:
        """Return the plan that was written.

        Raises:
            KeyError, TypeError: the record is none.
        """
        cases = ("cases", "reusable", "compared")
        found = {name: tuple(Case(**each) for each in record[name]) for name in cases}
        lists = {name: tuple(record[name]) for name in ("path", "dependencies", "optional")}
        return cls(**{**record, **found, **lists})
