"""A Prefect server of the project's own, on 127.0.0.1, for as long as one command runs."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial.errors import EXIT_INCONCLUSIVE, ProjectError, TargetError
from seatrial.io.loading import load_file
from seatrial.process.running import Running, free_port
from seatrial.project import Project
from seatrial.sinks.base import LISTENERS, Sink

START_SECONDS = 120.0
GRACE_SECONDS = 5.0
INTERRUPTED = "seatrial: Interrupted. No verdict was written."
SERVER = [
    sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app",
    "--host", "127.0.0.1", "--log-level", "warning", "--port",
]  # fmt: skip


@contextlib.contextmanager
def prefect_server(project: Project) -> Iterator[Callable[[], str]]:
    """Start the project's Prefect server unless ``PREFECT_API_URL`` names one; end it when the block ends.

    The server starts while the caller goes on to import what is heavy; call the yielded function to wait until it
    answers and to learn its API address. ``PREFECT_API_URL`` is set at once, since Prefect reads it on import.

    Raises:
        TargetError: from the yielded function, when the server does not answer; with the end of its log.
    """
    given = os.environ.get("PREFECT_API_URL")
    if given:
        yield lambda: given
        return
    port = free_port()
    url = os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    # The server keeps the settings it has itself; an API address would send it to itself.
    environ = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}
    log = project.state / "prefect-server.log"
    server = Running([*SERVER, str(port)], port=port, values={}, env=environ, cwd=os.getcwd(), log=log)
    try:
        with _interruptible(server.stop):
            yield lambda: _wait(server, url)
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        server.stop()


def _wait(server: Running, url: str) -> str:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if how := server.ended():
            raise TargetError(f"The project's Prefect server ended with {how}. {server.tail()}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310  our own address
                if answer.status == 200:
                    return url
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise TargetError(f"The project's Prefect server did not answer within {START_SECONDS:.0f} s. {server.tail()}")


@contextlib.contextmanager
def _interruptible(end: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C end the command soon, also while a stage in another thread cannot be stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave() -> None:
        end()
        print(INTERRUPTED, file=sys.stderr, flush=True)  # noqa: T201
        os._exit(EXIT_INCONCLUSIVE)

    def interrupt(*_: object) -> None:
        last = threading.Timer(GRACE_SECONDS, leave)
        last.daemon = True
        last.start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for(futures: Sequence[Any]) -> None:
    """Wait until every future of Prefect is done, in steps: a thread in one long wait does not hear of Ctrl-C."""
    done = threading.Semaphore(0)
    for future in futures:
        future.add_done_callback(lambda _: done.release())
    for _ in futures:
        while not done.acquire(timeout=0.2):
            pass


def run_flow(
    file: Path, name: str, parameters: Mapping[str, object], wait: Callable[[], str], sinks: Sequence[Sink]
) -> tuple[bool, str]:
    """Run the flow ``name`` of ``file`` in this process while ``sinks`` listen.

    Whatever the flow raised is raised here; a flow that ends Failed by its verdict is not an error. Return whether it
    ended Completed, and the message of its last state.

    Args:
        file: the flow file, loaded by its path.
        name: of the flow in it.
        parameters: of the flow.
        wait: waits for the server; called after everything heavy is imported.
        sinks: hear the questions, events and verdict.
    """
    flow = getattr(load_file(file, ProjectError), name, None)
    if flow is None:
        raise ProjectError(f"{file} defines no flow '{name}'.")
    from prefect.exceptions import FailedRun
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    wait()
    heard = LISTENERS.set(tuple(sinks))
    try:
        # A heartbeat rounds every local flow up by a second; a run that dies with its terminal needs none.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            state = flow(**parameters, return_state=True)
    finally:
        LISTENERS.reset(heard)
        APILogHandler().flush()  # the server may end before the next batch of log lines leaves by itself
    ended = state.result(raise_on_failure=False)
    if isinstance(ended, BaseException) and not isinstance(ended, FailedRun):  # FailedRun: the flow returned Failed
        raise ended
    return state.is_completed(), state.message or ""
