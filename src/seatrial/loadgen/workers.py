"""One schedule offered by several processes: each sends its share, and their results are merged into one run.

A single generator is bound to one core. The schedule's seed assigns each arrival to a worker, so that every share is
itself a Poisson process, and all begin at the same moment. A worker is a fresh interpreter that reads its share on
standard input and writes its result to standard output, as arrays: nothing is imported or run by name.
"""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from seatrial.errors import TargetError, UsageError
from seatrial.formatting import plural
from seatrial.loadgen.client import offer
from seatrial.loadgen.results import LoadRun, RequestResult, merged
from seatrial.loadgen.schedule import Schedule
from seatrial.pipeline import HttpRequest
from seatrial.pipeline.access import Access

MAX_WORKERS = 64
START_SECONDS = 120.0  # for every worker to read its share
HEAD_START = 0.3  # seconds between sending the workers the start and that moment
_COLUMNS = ("scheduled", "sent", "done", "status", "outcome")
_Arrays = Mapping[str, Any]


def offer_by(
    workers: int,
    url: str,
    schedule: Schedule,
    payloads: Sequence[bytes | HttpRequest] = (b"",),
    *,
    order: Sequence[int] | None = None,
    access: Access | None = None,
    connections: int = 256,
    keep: Collection[int] = (),
    expect: Sequence[bytes] = (),
    **options: Any,
) -> LoadRun:
    """Offer one schedule by several processes.

    Args:
        workers: how many processes.
        url: of the service.
        schedule: of all of them together.
        payloads: bodies, assigned to requests as by :func:`seatrial.loadgen.client.offer`.
        order: the place in ``payloads`` of what each request carries.
        access: headers and TLS. Workers read them from their standard input, so that they are in no list of processes.
        connections: of all of them together.
        keep: indices in the whole schedule whose responses are returned.
        expect: what each successful response contains, one for each payload.
        options: the other arguments of :func:`seatrial.loadgen.client.offer`.

    Raises:
        UsageError: as ``offer``, or more workers than requests.
        TargetError: nothing listens at ``url``, or a worker ended before it was done.

    Example:
        >>> run = offer_by(2, "http://127.0.0.1:8000/score", schedule, payloads, timeout_seconds=5.0)
    """
    if workers == 1:
        every = {**options, "order": order, "access": access}
        return offer(url, schedule, payloads, connections=connections, keep=keep, expect=expect, **every)
    if not 1 < workers <= min(MAX_WORKERS, len(schedule)):
        raise UsageError(
            f"{plural(workers, 'worker')} cannot share {plural(len(schedule), 'request')}. "
            f"Allowed: 1 to {min(MAX_WORKERS, len(schedule))}."
        )
    turns = np.resize(np.arange(len(payloads)) if order is None else np.asarray(order), len(schedule))
    owners, kept = schedule.owners(workers), set(keep)
    places = [np.flatnonzero(owners == n) for n in range(workers)]
    known = {"headers": dict(access.headers), "verify": access.verify, "cert": access.cert} if access else None
    whole = [each if isinstance(each, HttpRequest) else None for each in payloads]
    heads = [each and (each.content_type, each.path, each.method, dict(each.headers)) for each in whole]
    bodies = [each.body if isinstance(each, HttpRequest) else each for each in payloads]
    settings = {
        **options,
        "access": known,
        "heads": heads,
        "url": url,
        "seconds": schedule.seconds,
        "connections": math.ceil(connections / workers),
    }
    shares = [
        {
            "at": schedule.at[at],
            "keep": np.array([n for n, index in enumerate(at.tolist()) if index in kept], dtype=np.int64),
            "order": turns[at],
            **_packed("payloads", bodies),
            **_packed("expect", expect),
            "options": np.frombuffer(json.dumps(settings).encode(), dtype=np.uint8),
        }
        for at in places
        if len(at)
    ]
    limit = START_SECONDS + schedule.seconds + float(options.get("timeout_seconds", 10.0))
    runs = [_run_of(each) for each in _run_workers(shares, limit)]
    return merged(runs, [at for at in places if len(at)])


def _run_workers(shares: Sequence[_Arrays], limit_seconds: float) -> list[_Arrays]:
    with ExitStack() as stack:
        processes = [stack.enter_context(_started_worker(limit_seconds)) for _ in shares]
        try:
            for process, share in zip(processes, shares, strict=True):
                _write(process.stdin, share)
            for process in processes:
                if process.stdout.readline() != b"ready\n":
                    raise TargetError("A worker of the generator ended before it began. Set fewer: [load] workers.")
            begin = time.monotonic() + HEAD_START
            for process in processes:
                process.stdin.write(b"%r\n" % begin)
                process.stdin.flush()
            return [_read(process.stdout) for process in processes]
        except OSError as error:
            raise TargetError(f"A worker of the generator ended early: {error}.") from error


@contextmanager
def _started_worker(limit_seconds: float) -> Iterator[Any]:
    """Start a worker; it is killed when the block ends, and after ``limit_seconds`` at the latest."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "seatrial.loadgen.workers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    deadline = threading.Timer(limit_seconds, process.kill)
    deadline.daemon = True
    deadline.start()
    try:
        yield process
    finally:
        deadline.cancel()
        process.kill()
        process.wait()
        deadline.join()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def _run_of(result: _Arrays) -> LoadRun:
    """Return a worker's run; raise its error where it reports one."""
    if "error" in result:
        raise TargetError(result["error"].tobytes().decode())
    bodies = _unpacked("bodies", result)
    columns = [result[name].tolist() for name in ("answered", "answered_status", "answered_sampled")]
    headers = json.loads(result["headers"].tobytes())
    each = zip(*columns, headers, bodies, strict=True)
    return LoadRun(
        **{name: result[name] for name in _COLUMNS},
        connections=int(result["connections"]),
        waited=int(result["waited"]),
        retry_after=tuple(result["retry_after"].tolist()),
        answers=[RequestResult(n, status, body, told, sampled) for n, status, sampled, told, body in each],
    )


def _packed(name: str, parts: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    return {name: np.frombuffer(b"".join(parts), dtype=np.uint8), f"{name}_ends": ends}


def _unpacked(name: str, arrays: _Arrays) -> list[bytes]:
    whole, ends = arrays[name].tobytes(), arrays[f"{name}_ends"].tolist()
    return [whole[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _write(pipe: IO[bytes], arrays: _Arrays) -> None:
    file = io.BytesIO()
    np.savez(file, **arrays)
    content = file.getvalue()
    pipe.write(len(content).to_bytes(8, "big") + content)
    pipe.flush()


def _read(pipe: IO[bytes]) -> _Arrays:
    """Read arrays written by :func:`_write`; TargetError where the other process ended before."""
    length = int.from_bytes(pipe.read(8), "big")
    content = pipe.read(length)
    if not content or len(content) < length:
        raise TargetError("A worker of the generator ended before it reported its result.")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return dict(file)


def main() -> None:
    """Run as a worker: read a share, report that it is ready, begin at the moment that is read, report the result."""
    share = _read(sys.stdin.buffer)
    options = json.loads(share["options"].tobytes())
    schedule = Schedule(share["at"], options.pop("seconds"))
    bodies, keep = _unpacked("payloads", share), share["keep"].tolist()
    heads = options.pop("heads")
    payloads = [HttpRequest(b, *head) if head else b for b, head in zip(bodies, heads, strict=True)]
    expect = _unpacked("expect", share)
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    begin = float(sys.stdin.buffer.readline())
    known = options.pop("access")
    access = Access(known["headers"], known["verify"], tuple(known["cert"])) if known else None
    options |= {"access": access, "order": share["order"], "keep": keep, "expect": expect, "start_at": begin}
    try:
        run = offer(options.pop("url"), schedule, payloads, **options)
    except (TargetError, UsageError) as error:
        _write(sys.stdout.buffer, {"error": np.frombuffer(str(error).encode(), dtype=np.uint8)})
        return
    _write(
        sys.stdout.buffer,
        {
            **{name: getattr(run, name) for name in _COLUMNS},
            "connections": np.int64(run.connections),
            "waited": np.int64(run.waited),
            "retry_after": np.array(run.retry_after, dtype=np.str_),
            "answered": np.array([each.index for each in run.answers], dtype=np.int64),
            "answered_status": np.array([each.status for each in run.answers], dtype=np.int64),
            "answered_sampled": np.array([each.sampled for each in run.answers], dtype=bool),
            "headers": np.frombuffer(json.dumps([dict(e.headers) for e in run.answers]).encode(), dtype=np.uint8),
            **_packed("bodies", [each.body for each in run.answers]),
        },
    )


if __name__ == "__main__":
    main()
