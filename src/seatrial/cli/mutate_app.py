"""``seatrial mutate``: how much a pass of this project is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def mutate(
    model_uri: str | None = None,
    *,
    kinds: Annotated[list[Literal["mutant", "frame"]] | None, Parameter(consume_multiple=True, negative="")] = None,
    sample: int | None = None,
    rows: int = 20_000,
    minimum: float | None = None,
    json: Path | None = None,
    killers: Path | None = None,
    jobs: int = 0,
    project: Path = Path(),
    seed: int = 0,
    quiet: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Seed faults into the pipeline and see which of them its reference and policy catch.

    Exit code 0 when the share of killed faults reaches the minimum, 1 when not, 2 when it could not be told.

    Args:
        model_uri: the version whose model and reference are used; the promoted one, or else the newest, by default.
        kinds: mutant (of the stages' code), frame (faults on what stages answer); both by default.
        sample: seed so many faults, drawn with the seed; all by default.
        rows: rows made beyond the reference, to settle which faults are equivalent; 0 for none.
        minimum: the share of faults that must be killed; what [exam] of service.toml says, or 0.95.
        json: write everything here.
        killers: write the requests that would have killed survivors here, as Parquet. They look like your data.
        jobs: faults at once; as many as there are processors by default.
        project: the project's directory.
        seed: of every random choice.
        quiet: print the last line and nothing else.
    """
    from seatrial.cli.mutate import exam as command

    settings = {"sample": sample, "rows": rows, "jobs": jobs, "seed": seed}
    return command(
        project, model_uri, kinds=kinds, minimum=minimum, settings=settings, json=json, killers=killers, quiet=quiet
    )
