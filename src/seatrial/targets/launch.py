"""A service started for the trial, on 127.0.0.1, in a process group of its own, and always ended.

A small guard (``guard.py``) stands between: it ends the service when this process goes, however it goes. The command
may be the client of a container engine: what answers on the port is then the service, and ``stop`` ends the container.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable, Mapping

from seatrial.errors import AnswerError, TargetError, UsageError, nearest
from seatrial.pipeline import Pipeline, Service
from seatrial.process.engines import (
    advice_at_exit,
    advice_unreached,
    detaches,
    ended_by_engine,
    is_engine,
    lost_its_port,
    not_installed,
)
from seatrial.process.running import (
    LOOK_SECONDS,
    Running,
    _taken,
    free_port,
)
from seatrial.process.sandbox import Sandbox
from seatrial.targets.http import Http

READY_SECONDS = 2.0  # for one answer of the readiness path
_BLANK = re.compile(r"\{([A-Za-z_][\w.]*)\}")


def start(
    service: Service,
    *,
    values: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    port: int | None = None,
    sandbox: Sandbox | None = None,
    launched: Callable[[Running], object] = lambda _: None,
) -> Running:
    """Start a service and wait until its readiness path answers; use it in a ``with`` block.

    Args:
        service: the command and the rest; ``{port}`` and every name ending in ``_port`` is a free port, and ``{name}``
            a name that no other start has.
        values: what else fills its blanks, by name, such as ``model.path``.
        cwd: where it runs, unless the service says so itself.
        port: to listen on; a free one by default.
        sandbox: where its command runs.
        launched: is told of each process that is started for it, before it is ready.

    Raises:
        UsageError: a blank that nothing fills.
        AnswerError: it ended by itself, or answered its readiness path with anything but success until the end.
        TargetError: it cannot be started, its port is taken, or it was not ready in time. All with its last words.
    """
    tries = 1 if port is not None else 3
    while True:
        tries -= 1
        running = _launch(service, values or {}, cwd, port or free_port(), sandbox or Sandbox())
        try:
            launched(running)
            _wait(service, running)
        except BaseException as error:
            running.stop()
            if isinstance(error, TargetError) and _lost_its_port(running, error):
                if tries:  # somebody took the free port between our asking and the service's binding
                    continue
                raise TargetError(f"Port {running.port} is taken by another process. {error}") from error
            raise
        return running


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with its ``{blanks}`` filled; UsageError names one that nothing fills."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise UsageError(
                f"Nothing fills '{{{match[1]}}}' of the service. Known: {', '.join(sorted(values))}."
                f"{nearest(match[1], values)}"
            )
        return values[match[1]]

    return _BLANK.sub(value, text)


def values_of(pipeline: Pipeline, model_path: str | None, urls: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what fills the blanks of a pipeline's service: the model's path, each dependency's URL or another."""
    known = {f"{name}.url": (urls or {}).get(name, d.address) for name, d in pipeline.dependencies.items()}
    return known | ({"model.path": os.path.abspath(model_path)} if model_path is not None else {})


def folder_of(pipeline: Pipeline) -> str:
    """Return where a pipeline's service runs by default: beside the pipeline's file."""
    return str(pipeline.folder)


def runs_elsewhere(service: Service) -> bool:
    """Whether what serves may run below another process than the command, as a container does.

    Example:
        >>> runs_elsewhere(Service(["podman", "run", "-p", "{port}:8080", "shop:2"]))
        True
    """
    return bool(service.stop) or (bool(service.command) and is_engine(str(service.command[0])))


def _launch(
    service: Service, values: Mapping[str, str], cwd: str | os.PathLike[str] | None, port: int, sandbox: Sandbox
) -> Running:
    told = [*service.command, service.predict, *service.env.values()]
    blanks = {name for text in told for name in _BLANK.findall(text)}
    elsewhere = runs_elsewhere(service)
    if "port" not in blanks:
        raise UsageError(
            "The service's command does not contain its port. Write '{port}' in command or env where it belongs, "
            "or give the URL of a service that already runs."
        )
    if meant := [n for n in blanks if f"{n.removesuffix('_port')}.url" in values and n.endswith("_port")]:
        raise UsageError(
            f"'{{{meant[0]}}}' of the service would be a free port, and not that of the dependency "
            f"'{meant[0].removesuffix('_port')}'. Write '{{{meant[0].removesuffix('_port')}.url}}', or name a port of "
            "the service's own differently."
        )
    ports = {name: str(free_port()) for name in blanks if name.endswith("_port")}
    filled = {**values, **ports, "port": str(port), "name": f"seatrial-{uuid.uuid4().hex[:12]}"}
    own = {name: fill(value, filled) for name, value in service.env.items()}
    folder = os.path.join(cwd or os.getcwd(), service.cwd or "")
    command, stop = ([fill(str(word), filled) for word in words] for words in (service.command, service.stop))
    if elsewhere and _taken(port):  # what answered there could not be told from the service
        raise TargetError(f"Port {port} is taken by another process.")
    sandbox = sandbox.of(command)
    try:
        return Running(
            sandbox.wrap(command, variables=own, folder=folder),
            port=port,
            values=filled,
            env=sandbox.environment() | own,
            cwd=folder,
            logs=sandbox.logs,
            limits=sandbox.limits,
            stop=sandbox.wrap(stop, variables=own, folder=folder) if stop else (),
            elsewhere=elsewhere,
        )
    except TargetError as error:
        raise TargetError(f"{error}{not_installed(command[0])}") from error


def _lost_its_port(running: Running, error: TargetError) -> bool:
    if running.elsewhere:  # what is still there may be its own container
        return lost_its_port(running.ended() or "", str(error))
    return _taken(running.port)


def _wait(service: Service, running: Running) -> None:
    until = time.monotonic() + service.ready_seconds
    last = "It never responded."
    refused = answered = False
    with Http(running.url, connections=1, limit_bytes=2**20) as http:
        while (left := until - time.monotonic()) > 0:
            if how := running.ended():
                raise _ended(service, running, how)
            try:
                answer = http.send(path=service.ready, method="GET", seconds=min(READY_SECONDS, max(left, 0.01)))
                answered = True
                if running.listens():
                    if answer.ok:
                        if detaches(service.command) and running.ended(within_seconds=READY_SECONDS):
                            continue  # its client has ended: told above
                        return
                    refused = True
                    last = f"'{service.ready}' returned status {answer.status}."
                else:
                    last = "Another process listens on its port."
            except TargetError as error:
                last = str(error)
            time.sleep(LOOK_SECONDS)
    kind = AnswerError if refused else TargetError
    advice = "" if answered or not running.elsewhere else advice_unreached(running.port, accepts=_taken(running.port))
    raise kind(" ".join(filter(None, [f"The service was not ready within {service.ready_seconds:g} s.", last, advice,
                                      running.tail()])))  # fmt: skip


def _ended(service: Service, running: Running, how: str) -> TargetError:
    """Return the error of a service that ended before it was ready; its engine may be at fault."""
    words = running.tail()
    command = [fill(str(word), running.values) for word in service.command]
    unable = ended_by_engine(command, how, words)
    told = f"The service ended with {how} before it was ready."
    advice = unable or advice_at_exit(command, how)
    return (TargetError if unable else AnswerError)(" ".join(filter(None, [told, advice, words])))
