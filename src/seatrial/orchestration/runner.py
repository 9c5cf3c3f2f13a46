"""Run a flow in this process, with a Prefect server of the project's own on 127.0.0.1 while the command runs."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from seatrial.checks.gx.importing import great_expectations
from seatrial.errors import EXIT_INCONCLUSIVE, TargetError
from seatrial.io.loading import ALLOCATIONS
from seatrial.orchestration.flow_files import load_flow
from seatrial.orchestration.prefect_api import REFUSALS, refused, unanswered
from seatrial.orchestration.temporary.database import Database
from seatrial.orchestration.temporary.settings import settings
from seatrial.process.reaching import unreachable
from seatrial.process.running import Running, free_port
from seatrial.project import Project
from seatrial.sinks.base import LISTENERS, Sink

START_SECONDS = 120.0
ANSWER_SECONDS = 10.0  # of a server that somebody else runs, and may be starting
POLL_SECONDS = 0.05
GRACE_SECONDS = 5.0
LOG = "prefect-server.log"  # below the project's state
JUDGED_WITH = "great_expectations"
SLOW: Mapping[str, Callable[[], object]] = {  # imports
    "mlflow": partial(importlib.import_module, "mlflow"), JUDGED_WITH: great_expectations,
}  # fmt: skip
NEEDED_LATER = tuple(SLOW)
UNREACHED = "Failed to reach API"  # how Prefect's client begins what it says of a server that is not there
INTERRUPTED = "seatrial: Interrupted. No verdict was written."
_TEMPORARY: set[str] = set()  # the API addresses of servers that this process started
START = f"import gc; gc.set_threshold({ALLOCATIONS}); from uvicorn.main import main; main()"
SERVER = [
    sys.executable, "-c", START, "--factory", "prefect.server.api.server:create_app",
    "--host", "127.0.0.1", "--log-level", "warning", "--port",
]  # fmt: skip


@contextlib.contextmanager
def prefect_server(project: Project) -> Iterator[Callable[..., str]]:
    """Start the project's Prefect server unless ``PREFECT_API_URL`` names one; end it when the block ends.

    The server starts while the caller goes on to import what is heavy; call the yielded function to wait until it
    answers and to learn its API address; it takes a function that is called again and again meanwhile, and may raise,
    and the modules to import meanwhile.
    ``PREFECT_API_URL`` is set at once, since Prefect reads it on import.

    Raises:
        TargetError: from the yielded function, when the server does not answer; with the end of its log.
    """
    existing = os.environ.get("PREFECT_API_URL")
    if existing:
        yield partial(_answering, existing)
        return
    port = free_port()
    url = os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    database = Database(os.environ)
    environ = settings(os.environ, migrated=database.prepare())
    log = project.state / LOG
    server = Running([*SERVER, str(port)], port=port, values={}, env=environ, cwd=os.getcwd(), log=log)
    _TEMPORARY.add(url)
    try:
        with _interruptible(server.stop):
            yield partial(_wait, server, url, database.keep_template)
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        server.stop()
        _TEMPORARY.discard(url)


def is_temporary(url: str) -> bool:
    """Return whether the Prefect server with this API address ends with this command, and its pages with it."""
    return url in _TEMPORARY


def _answering(url: str, meanwhile: Callable[[], None] = lambda: None, needed: Iterable[str] = ()) -> str:  # noqa: ARG001
    """Return the address of a server that somebody else runs, once something listens there."""
    until = time.monotonic() + ANSWER_SECONDS
    while why := unreachable(url):
        if time.monotonic() > until:
            raise TargetError(unanswered(url, why))
        meanwhile()
        time.sleep(POLL_SECONDS)
    meanwhile()
    return url


def _wait(
    server: Running, url: str, started: Callable[[], None], meanwhile: Callable[[], None] = lambda: None,
    needed: Iterable[str] = NEEDED_LATER,
) -> str:  # fmt: skip
    """Wait until the server answers; import meanwhile what the flow imports after that. Then call ``started``."""
    until, ahead = time.monotonic() + START_SECONDS, iter(needed)
    while time.monotonic() < until:
        meanwhile()
        if end := server.ended():
            raise TargetError(f"The project's Prefect server ended with {end}. {server.tail()}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310  our own address
                if answer.status == 200:
                    started()
                    return url
        except (urllib.error.URLError, OSError):
            if (module := next(ahead, None)) is not None:
                SLOW[module]()
            else:
                time.sleep(POLL_SECONDS)
    raise TargetError(f"The project's Prefect server did not answer within {START_SECONDS:.0f} s. {server.tail()}")


@contextlib.contextmanager
def _interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C end the command soon, also while a stage in another thread cannot be stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def exit_now() -> None:
        stop()
        print(INTERRUPTED, file=sys.stderr, flush=True)  # noqa: T201
        os._exit(EXIT_INCONCLUSIVE)

    def interrupt(*_: object) -> None:
        timer = threading.Timer(GRACE_SECONDS, exit_now)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run_flow(
    project: Project, name: str, parameters: Mapping[str, object], wait: Callable[[], str], sinks: Sequence[Sink]
) -> tuple[bool, str]:
    """Run a flow of the project in this process while ``sinks`` listen.

    What the flow raises is raised here; a flow that ends Failed by its verdict is no error.

    Args:
        project: whose flow it is: its own, else the packaged one.
        name: of the flow, such as ``validate``.
        parameters: of the flow.
        wait: waits for the server; called after everything heavy is imported.
        sinks: receive the cases, events and the verdict.

    Returns:
        Whether the flow ended Completed, and the message of its last state.

    Raises:
        ProjectError: there is no such flow, or its file cannot be loaded.
        TargetError: the Prefect server ended while the flow ran.
    """
    flow = load_flow(project, name)
    from httpx import HTTPStatusError, TransportError
    from prefect.exceptions import FailedRun
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    wait()
    token = LISTENERS.set(tuple(sinks))
    try:
        # A heartbeat rounds every local flow up by a second; a run that dies with its terminal needs none.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            state = flow(**parameters, return_state=True)
    except HTTPStatusError as error:
        if error.response.status_code not in REFUSALS:
            raise
        raise TargetError(refused(os.environ.get("PREFECT_API_URL", ""), error.response.status_code)) from error
    except (RuntimeError, TransportError) as error:
        if not (str(error).startswith(UNREACHED) or _server_ended(error)):
            raise
        raise _ended(project) from error
    finally:
        LISTENERS.reset(token)
        APILogHandler().flush()  # the server may end before the next batch of log lines leaves by itself
    result = state.result(raise_on_failure=False)
    if isinstance(result, BaseException) and not isinstance(result, FailedRun):  # FailedRun: the flow returned Failed
        raise _ended(project) if _server_ended(result) else result
    return state.is_completed(), state.message or ""


def _server_ended(error: BaseException) -> bool:
    """Return whether an error of a request came of a Prefect server at whose address nothing listens any more."""
    from httpx import TransportError

    return isinstance(error, TransportError) and bool(unreachable(os.environ.get("PREFECT_API_URL", "")))


def _ended(project: Project) -> TargetError:
    """Return the error for a Prefect server that ended while a flow ran."""
    url = os.environ.get("PREFECT_API_URL", "")
    if not is_temporary(url):
        return TargetError(unanswered(url, "it stopped answering"))
    return TargetError(
        f"The project's Prefect server ended while the flow ran. Its log: {project.state / LOG}. Run the command again."
    )
