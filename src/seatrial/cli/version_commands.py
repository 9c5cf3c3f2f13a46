"""The commands on one registered model version: validate, stress, capture, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seatrial.cli.conventions import Flag
from seatrial.errors import EXIT_PASS

Checks = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]
Sinks = Annotated[list[str] | None, Parameter(negative="")]


def validate(
    model_uri: str,
    *,
    only: Checks = None,
    skip: Checks = None,
    live: Checks = None,
    in_process: Flag = False,
    fixture: str | None = None,
    target: str | None = None,
    sink: Sinks = None,
    cache: bool | None = None,
    project: Path = Path(),
    seed: int = 0,
    quiet: Flag = False,
) -> int:
    """Validate a registered version against its reference, and record the verdict.

    Args:
        model_uri: version as models:/NAME/VERSION or models:/NAME@ALIAS.
        only: run only these checks (names: seatrial plugins). Such a validation is partial: it is logged, and the
            verdict of the version does not change.
        skip: checks to skip (names: seatrial plugins); the validation is partial.
        live: dependencies of the pipeline, by name, to query live and compare with their recorded responses.
        in_process: skip the checks of the live service; the validation is partial.
        fixture: compare with the predictions recorded on this fixture instead of the version's own reference; the
            validation is partial.
        target: address of a service that runs already, such as https://staging.example/fraud, to test in place of the
            pipeline's own; headers, verify and cert are those of Service(...). The validation is partial.
        sink: also write the verdict to a file, as NAME=FILE, for example junit=junit.xml (names: seatrial plugins); may
            be repeated.
        cache: use passes of earlier runs whose code, model, reference, policy and environments were the same; the
            output names the run. By default as 'cache' of [tool.seatrial] says; services are always tested.
        project: project directory.
        seed: random seed.
        quiet: print only the one-line verdict.
    """
    from seatrial.cli.commands import validate as command

    chosen: dict[str, object] = {"only": only, "skip": skip, "live": live, "in_process": in_process}
    chosen["target"] = target
    if fixture is not None:
        from seatrial.cli.preflight import before

        before.fixture(project, fixture)
        from seatrial.cli.fixtures import predicted_reference  # slow to import

        chosen["reference"] = str(predicted_reference(project, fixture))
    verdict = command(project, model_uri, chosen=chosen, seed=seed, sinks=sink or [], quiet=quiet, cache=cache)
    return verdict.exit_code


def stress(
    model_uri: str,
    *,
    only: Checks = None,
    skip: Checks = None,
    target: str | None = None,
    sink: Sinks = None,
    project: Path = Path(),
    seed: int = 0,
    quiet: Flag = False,
) -> int:
    """Run the load and resilience checks on a registered version; its verdict does not change.

    Args:
        model_uri: version as models:/NAME/VERSION or models:/NAME@ALIAS.
        only: run only this check: load or resilience.
        skip: check to skip: load or resilience.
        target: address of a service that runs already, to load in place of the pipeline's own. Set allow_load = true
            in [service] of service.toml first.
        sink: also write the verdict to a file, as NAME=FILE, for example junit=junit.xml (names: seatrial plugins); may
            be repeated.
        project: project directory.
        seed: random seed.
        quiet: print only the one-line verdict.
    """
    from seatrial.cli.commands import validate as command

    chosen = {"only": only, "skip": skip, "target": target}
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
    """Capture the reference of a registered version, and store it with its model.

    Args:
        model_uri: version as models:/NAME/VERSION or models:/NAME@ALIAS.
        requests: file of raw requests, one per row: Parquet, CSV or JSON lines. Or a folder of Parquet files, with more
            requests than fit in memory: the reference is then captured in partitions.
        given: data frame that training used for a stage, as STAGE=FILE, for example features=training.parquet; may be
            repeated.
        labels: file with the key column and the true labels, for the quality check.
        seed: random seed with which the requests were sampled; recorded in the manifest.
        project: project directory.
        quiet: print nothing.
    """
    from seatrial.cli.commands import capture as command

    command(project, model_uri, requests, given=given or [], labels=labels, seed=seed, quiet=quiet)
    return EXIT_PASS


def verify(model_uri: str, *, project: Path = Path(), quiet: Flag = False) -> int:
    """Verify by its signed verdict that this exact version passed with this code under the policy in expectations/.

    Args:
        model_uri: version as models:/NAME/VERSION or models:/NAME@ALIAS.
        project: project directory.
        quiet: print nothing.
    """
    from seatrial.cli.preflight import before

    before.verification(project, model_uri)
    from seatrial.promotion.verify import verify as command  # slow to import

    verification = command(project, model_uri)
    if not quiet:
        print(verification.reason)  # noqa: T201
    return verification.exit_code
