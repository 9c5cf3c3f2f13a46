"""The commands on one registered model version: validate, stress, capture, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seatrial.errors import EXIT_PASS

Checks = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]
Sinks = Annotated[list[str] | None, Parameter(negative="")]
Flag = Annotated[bool, Parameter(negative="")]


def validate(
    model_uri: str,
    *,
    only: Checks = None,
    skip: Checks = None,
    live: Checks = None,
    in_process: Flag = False,
    fixture: str | None = None,
    sink: Sinks = None,
    project: Path = Path(),
    seed: int = 0,
    quiet: Flag = False,
) -> int:
    """Validate a registered version against its reference, and commit the verdict.

    Args:
        model_uri: the version: models:/NAME/VERSION or models:/NAME@ALIAS.
        only: run these checks alone. A partial validation is logged, and commits no verdict on the version.
        skip: leave these checks out.
        live: query these dependencies again and compare with their recorded answers.
        in_process: leave out the live service.
        fixture: compare with a version's predictions on this fixture, instead of the version's own reference; partial.
        sink: NAME=FILE: also write the verdict there, such as junit=junit.xml; may be repeated.
        project: the project's directory.
        seed: of every random choice.
        quiet: print the one-line verdict and nothing else.
    """
    from seatrial.cli.commands import validate as command

    chosen: dict[str, object] = {"only": only, "skip": skip, "live": live, "in_process": in_process}
    if fixture is not None:
        from seatrial.cli.fixtures import predicted_reference

        chosen["reference"] = str(predicted_reference(project, fixture))
    verdict = command(project, model_uri, chosen=chosen, seed=seed, sinks=sink or [], quiet=quiet)
    return verdict.exit_code


def stress(
    model_uri: str,
    *,
    only: Checks = None,
    skip: Checks = None,
    sink: Sinks = None,
    project: Path = Path(),
    seed: int = 0,
    quiet: Flag = False,
) -> int:
    """Run the load and resilience checks on a registered version. Its verdict does not change.

    Args:
        model_uri: the version: models:/NAME/VERSION or models:/NAME@ALIAS.
        only: load or resilience alone.
        skip: the one to leave out.
        sink: NAME=FILE: also write the verdict there, such as junit=junit.xml; may be repeated.
        project: the project's directory.
        seed: of every random choice.
        quiet: print the one-line verdict and nothing else.
    """
    from seatrial.cli.commands import validate as command

    chosen = {"only": only, "skip": skip}
    return command(project, model_uri, chosen=chosen, seed=seed, sinks=sink or [], quiet=quiet, flow="stress").exit_code


def capture(
    model_uri: str,
    requests: Path,
    *,
    given: Annotated[list[str] | None, Parameter(negative="")] = None,
    labels: Path | None = None,
    seed: int = 0,
    project: Path = Path(),
    quiet: Flag = False,
) -> int:
    """Capture the reference of a registered version, and store it beside its model.

    Args:
        model_uri: the version: models:/NAME/VERSION or models:/NAME@ALIAS.
        requests: the request rows as they arrive: Parquet, CSV or JSON lines.
        given: STAGE=FILE: a frame that training itself used; may be repeated.
        labels: the key column and the true labels, for the quality check.
        seed: the seed the requests were drawn with, recorded in the manifest.
        project: the project's directory.
        quiet: print nothing.
    """
    from seatrial.cli.commands import capture as command

    command(project, model_uri, requests, given=given or [], labels=labels, seed=seed, quiet=quiet)
    return EXIT_PASS


def verify(model_uri: str, *, project: Path = Path(), quiet: Flag = False) -> int:
    """Verify that this exact version passed, by its signed verdict, under the present policy.

    Args:
        model_uri: the version: models:/NAME/VERSION or models:/NAME@ALIAS.
        project: the project's directory.
        quiet: print nothing; the exit code is 0 where it passed, 1 where it did not, 2 where this is unknown.
    """
    from seatrial.promotion.verify import verify as command

    verification = command(project, model_uri)
    if not quiet:
        print(verification.reason)  # noqa: T201
    return verification.exit_code
