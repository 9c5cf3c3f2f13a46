"""``seatrial mutate``: how well the reference and policy of a project detect mutants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def mutate(
    model_uri: str | None = None,
    *,
    kinds: Annotated[list[Literal["code", "frame"]] | None, Parameter(consume_multiple=True, negative="")] = None,
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
    """Run a mutation test: change the pipeline in many small ways and see which changes its checks detect.

    Exit code 0 when the mutation score reaches the minimum, 1 when it does not, 2 when the test is inconclusive.

    Args:
        model_uri: the version whose model and reference are used; the champion, else the newest one, by default.
        kinds: code (mutants of the stages' code), frame (mutants of what stages return); both by default.
        sample: evaluate so many mutants, drawn with the seed; all by default.
        rows: rows generated beyond the reference, to decide which mutants are equivalent; 0 for none.
        minimum: the mutation score to reach, above 0 and at most 1; [mutation] minimum of service.toml by default.
        json: write the whole result to this file.
        killers: write the requests that would have killed survivors to this Parquet file. They look like your data.
        jobs: mutants at once; as many as there are processors by default.
        project: the project's directory.
        seed: of every random choice.
        quiet: print the last line alone.
    """
    from seatrial.cli.mutate import mutate as command

    settings = {"sample": sample, "rows": rows, "jobs": jobs, "seed": seed}
    return command(
        project, model_uri, kinds=kinds, minimum=minimum, settings=settings, json=json, killers=killers, quiet=quiet
    )
