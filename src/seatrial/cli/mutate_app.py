"""``seatrial mutate``: how well the reference and policy of a project detect mutants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from seatrial.cli.conventions import Flag


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
    quiet: Flag = False,
) -> int:
    """Run a mutation test: change the pipeline in many small ways and see which changes its checks detect.

    Exit code 0 when the mutation score reaches the minimum, 1 when it does not, 2 when the test is inconclusive.

    Args:
        model_uri: version whose model and reference are used; by default the champion, else the newest version.
        kinds: code (mutants of the stages' code), frame (mutants of the data frames that stages return); both by
            default.
        sample: evaluate at most this many mutants, sampled with the seed; all by default.
        rows: rows to generate in addition to the reference, to detect equivalent mutants; 0: none.
        minimum: minimum mutation score, above 0 and at most 1; by default [mutation] minimum of service.toml.
        json: write the complete result to this file, as JSON.
        killers: write requests that would have killed the survivors to this Parquet file. They resemble your data;
            treat them as sensitive.
        jobs: mutants to evaluate in parallel; 0: number of CPUs.
        project: project directory.
        seed: random seed.
        quiet: print only the summary line.
    """
    from seatrial.cli.preflight import before

    before.mutation(project, model_uri)
    from seatrial.cli.mutate import mutate as command  # slow to import

    settings = {"sample": sample, "rows": rows, "jobs": jobs, "seed": seed}
    return command(
        project, model_uri, kinds=kinds, minimum=minimum, settings=settings, json=json, killers=killers, quiet=quiet
    )
