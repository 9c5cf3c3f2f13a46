"""The command line: each command calls one library function. Exit codes: 0 pass, 1 fail, 2 could not judge."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from seatrial import __version__
from seatrial.errors import EXIT_INCONCLUSIVE, EXIT_PASS, SeatrialError
from seatrial.io.loading import import_sooner

app = App(
    name="seatrial",
    version=__version__,
    help="Integration testing for machine-learning services: take every model version to sea before its users do.",
    help_epilogue="Exit codes: 0 pass, 1 fail, 2 could not judge. --debug before a command shows tracebacks.",
    suppress_keyboard_interrupt=False,  # the main function says that it was heard
)

app.command(
    "seatrial.cli.fixtures_app:app",  # imported when it is asked for
    name="fixtures",
    help="Make, check and show the reference data that expectations/fixtures.toml declares.",
)

Checks = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]
Quiet = Annotated[bool, Parameter(negative="")]


@app.command
def validate(
    model_uri: str,
    *,
    only: Checks = None,
    skip: Checks = None,
    live: Checks = None,
    in_process: Annotated[bool, Parameter(negative="")] = False,
    fixture: str | None = None,
    json: Path | None = None,
    junit: Path | None = None,
    report: Path | None = None,
    project: Path = Path(),
    seed: int = 0,
    quiet: Quiet = False,
) -> int:
    """Take a registered version to sea and write its verdict to MLflow.

    Args:
        model_uri: the version: models:/NAME/VERSION or models:/NAME@ALIAS.
        only: ask these checks alone. A validation in part is logged, and writes no verdict on the version.
        skip: leave these checks out.
        live: ask these dependencies again and compare with what they answered at capture.
        in_process: ask nothing of the live service.
        fixture: compare with what a version answered on this fixture, in place of the version's own reference; in part.
        json: also write the verdict here.
        junit: also write a JUnit report here.
        report: also write the HTML report here.
        project: the project's directory.
        seed: of every random choice.
        quiet: print the verdict's one line and nothing else.
    """
    from seatrial.cli.commands import validate as command

    extra = {"json": json, "junit": junit, "report": report}
    chosen: dict[str, object] = {"only": only, "skip": skip, "live": live, "in_process": in_process}
    if fixture is not None:
        from seatrial.cli.fixtures import predicted_reference

        chosen["reference"] = str(predicted_reference(project, fixture))
    verdict = command(project, model_uri, chosen=chosen, seed=seed, extra=extra, quiet=quiet)
    return verdict.exit_code


@app.command
def stress(
    model_uri: str,
    *,
    only: Checks = None,
    skip: Checks = None,
    json: Path | None = None,
    junit: Path | None = None,
    report: Path | None = None,
    project: Path = Path(),
    seed: int = 0,
    quiet: Quiet = False,
) -> int:
    """Put a registered version under load and break what it depends on. Its verdict on the version stays as it is.

    Args:
        model_uri: the version: models:/NAME/VERSION or models:/NAME@ALIAS.
        only: load or resilience alone.
        skip: the one to leave out.
        json: also write the verdict here.
        junit: also write a JUnit report here.
        report: also write the HTML report here.
        project: the project's directory.
        seed: of every random choice.
        quiet: print the verdict's one line and nothing else.
    """
    from seatrial.cli.commands import validate as command

    extra, chosen = {"json": json, "junit": junit, "report": report}, {"only": only, "skip": skip}
    return command(project, model_uri, chosen=chosen, seed=seed, extra=extra, quiet=quiet, flow="stress").exit_code


@app.command
def capture(
    model_uri: str,
    requests: Path,
    *,
    given: Annotated[list[str] | None, Parameter(negative="")] = None,
    labels: Path | None = None,
    seed: int = 0,
    project: Path = Path(),
    quiet: Quiet = False,
) -> int:
    """Capture the reference of a registered version and store it beside its model.

    Args:
        model_uri: the version: models:/NAME/VERSION or models:/NAME@ALIAS.
        requests: the request rows as they arrive: Parquet, CSV or JSON lines.
        given: STAGE=FILE: a frame that training itself used; may be repeated.
        labels: the key column and what came true, for the quality check.
        seed: the seed the requests were drawn with, kept in the manifest.
        project: the project's directory.
        quiet: print nothing.
    """
    from seatrial.cli.commands import capture as command

    command(project, model_uri, requests, given=given or [], labels=labels, seed=seed, quiet=quiet)
    return EXIT_PASS


@app.command
def verify(model_uri: str, *, project: Path = Path(), quiet: Quiet = False) -> int:
    """Verify a version: its content has a signed passing verdict under the current policy.

    Args:
        model_uri: the version: models:/NAME/VERSION or models:/NAME@ALIAS.
        project: the project's directory.
        quiet: print nothing; the exit code is 0 for yes, 1 for no, 2 when it cannot be told.
    """
    from seatrial.promotion.verify import verify as command

    answer = command(project, model_uri)
    if not quiet:
        print(answer.reason)  # noqa: T201
    return answer.exit_code


@app.command
def up(
    *,
    mlflow_port: int | None = None,
    prefect_port: int | None = None,
    receiver_port: int | None = None,
    project: Path = Path(),
) -> int:
    """Start MLflow, Prefect, a webhook receiver and a worker on this machine: every registered version is validated.

    Args:
        mlflow_port: 5000, or a free one where that is taken.
        prefect_port: 4200, or a free one where that is taken.
        receiver_port: 4300, or a free one where that is taken.
        project: the project's directory.
    """
    from seatrial.orchestration.stack import up as command

    ports = {"mlflow": mlflow_port, "prefect": prefect_port, "receiver": receiver_port}
    command(project, ports=ports, tell=lambda line: print(line, flush=True))  # noqa: T201
    return EXIT_PASS


@app.command
def deploy(*, receiver: str | None = None, project: Path = Path(), quiet: Quiet = False) -> int:
    """Put deployments and automations on the Prefect server of PREFECT_API_URL, and the webhook on MLflow.

    Args:
        receiver: the address of 'seatrial webhook' as the MLflow server reaches it; without it no webhook is made.
        project: the project's directory.
        quiet: print nothing.
    """
    from seatrial.orchestration.deploy import deploy as command

    told = command(project, receiver=receiver)
    if not quiet:
        print("\n".join(told))  # noqa: T201
    return EXIT_PASS


@app.command
def webhook(*, host: str = "127.0.0.1", port: int = 4300, project: Path = Path()) -> int:
    """Receive MLflow's registry webhooks and begin a validation at once, until Ctrl-C.

    Args:
        host: the address to listen on.
        port: the port to listen on.
        project: the project's directory.
    """
    from seatrial.orchestration.deploy import receive

    receive(project, host=host, port=port)
    return EXIT_PASS


@app.command
def reconcile(
    *,
    every: float = 0.0,
    model: str = "",
    most: int = 0,
    project: Path = Path(),
    quiet: Quiet = False,
) -> int:
    """Validate every registered version that has no verdict yet, and see that the registry shows what there is.

    Args:
        every: do it again after so many seconds, until Ctrl-C.
        model: look at this registered model alone.
        most: validate so many versions at most.
        project: the project's directory.
        quiet: print nothing but errors.
    """
    from seatrial.cli.commands import reconcile as command

    return command(project, every=every, model=model, most=most, quiet=quiet)


@app.command
def init(directory: Path, *, quiet: Quiet = False) -> int:
    """Write a new project, with an example pipeline that validates as it is.

    Args:
        directory: where; it must not hold a project yet.
        quiet: print nothing.
    """
    from seatrial.cli.scaffold import init as command

    command(directory, quiet=quiet)
    return EXIT_PASS


@app.command
def demo(directory: Path = Path("seatrial-demo"), *, quiet: Quiet = False) -> int:
    """Train a model, validate it, then release one whose serving features are subtly wrong and see it fail.

    Args:
        directory: the demo's own project; made anew. Nothing outside it is touched.
        quiet: print the two verdicts and nothing else.
    """
    from seatrial.cli.demo import demo as command

    return command(directory, quiet=quiet)


app.command(
    "seatrial.cli.mutate_app:mutate", name="mutate",
    help="Change the pipeline in many small ways and see which changes its checks detect.",
)  # fmt: skip  # imported when it is called for


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code; an error is one message, and a traceback only with ``--debug``."""
    import_sooner()
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [w for w in words if w != "--debug"]
    try:
        code = app(words, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        code = EXIT_INCONCLUSIVE
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            raise
        code = _say(error)
    sys.stdout.flush()
    sys.exit(code if isinstance(code, int) else EXIT_PASS)


def _say(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        words = "Interrupted. No verdict was written."
    elif isinstance(error, SeatrialError):
        words = str(error)
    elif isinstance(error, OSError):
        words = f"{error.strerror or type(error).__name__}: {error.filename or os.getcwd()}. No verdict was written."
    else:
        from seatrial.pipeline import describe

        words = (
            f"seatrial itself broke: {describe(error)}. No verdict was written. "
            "Run it again with --debug for the traceback, and please report it."
        )
    print(f"seatrial: {words}", file=sys.stderr)  # noqa: T201
    return getattr(error, "exit_code", EXIT_INCONCLUSIVE)
