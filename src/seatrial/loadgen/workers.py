"""One schedule offered by several processes: each sends its share, and what they saw is one run again.

A single generator is bound to one core. The arrivals are thrown to the workers by the schedule's seed, every part is
itself a Poisson process, and all begin at one moment. A worker is a fresh interpreter that reads its share on
standard input and writes what became of it on standard output, as arrays: nothing is imported or run by name.
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
from seatrial.loadgen.client import offer
from seatrial.loadgen.results import LoadRun, RequestResult, merged
from seatrial.loadgen.schedule import Schedule

MAX_WORKERS = 64
START_SECONDS = 120.0  # until every worker has read its share
HEAD_START = 0.3  # between telling the workers when to begin and that moment
_COLUMNS = ("scheduled", "sent", "done", "status", "outcome")
_Arrays = Mapping[str, Any]


def offer_by(
    workers: int,
    url: str,
    schedule: Schedule,
    payloads: Sequence[bytes] = (b"",),
    *,
    connections: int = 256,
    keep: Collection[int] = (),
    **options: Any,
) -> LoadRun:
    """Offer one schedule by so many processes; arguments and result are those of :func:`seatrial.loadgen.client.offer`.

    Raises:
        UsageError: as ``offer``, or more workers than requests.
        TargetError: nobody listens at ``url``, or a worker broke.
    """
    if workers == 1:
        return offer(url, schedule, payloads, connections=connections, keep=keep, **options)
    if not 1 < workers <= min(MAX_WORKERS, len(schedule)):
        raise UsageError(f"{len(schedule)} requests are shared by 1 to {min(MAX_WORKERS, len(schedule))} workers.")
    owners, kept = schedule.owners(workers), set(keep)
    places = [np.flatnonzero(owners == n) for n in range(workers)]
    told = {**options, "url": url, "seconds": schedule.seconds, "connections": math.ceil(connections / workers)}
    shares = [
        {
            "at": schedule.at[at],
            "keep": np.array([n for n, index in enumerate(at.tolist()) if index in kept], dtype=np.int64),
            **_joined("payloads", [payloads[index % len(payloads)] for index in at.tolist()]),
            "options": np.frombuffer(json.dumps(told).encode(), dtype=np.uint8),
        }
        for at in places
        if len(at)
    ]
    limit = START_SECONDS + schedule.seconds + float(options.get("timeout_seconds", 10.0))
    runs = [_run_of(each) for each in _together(shares, limit)]
    return merged(runs, [at for at in places if len(at)])


def _together(shares: Sequence[_Arrays], limit_seconds: float) -> list[_Arrays]:
    with ExitStack() as stack:
        processes = [stack.enter_context(_worker(limit_seconds)) for _ in shares]
        try:
            for process, share in zip(processes, shares, strict=True):
                _write(process.stdin, share)
            for process in processes:
                if process.stdout.readline() != b"ready\n":
                    raise TargetError("A worker of the generator ended before it began. Ask for fewer: [load] workers.")
            begin = time.monotonic() + HEAD_START
            for process in processes:
                process.stdin.write(b"%r\n" % begin)
                process.stdin.flush()
            return [_read(process.stdout) for process in processes]
        except OSError as error:
            raise TargetError(f"A worker of the generator broke: {error}.") from error


@contextmanager
def _worker(limit_seconds: float) -> Iterator[Any]:
    """Start a worker; it is gone when the block ends, and after ``limit_seconds`` whatever happens."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "seatrial.loadgen.workers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    ends = threading.Timer(limit_seconds, process.kill)
    ends.daemon = True
    ends.start()
    try:
        yield process
    finally:
        ends.cancel()
        process.kill()
        process.wait()
        ends.join()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def _run_of(told: _Arrays) -> LoadRun:
    """Return a worker's run; its own error, told in words, is raised again."""
    if "error" in told:
        raise TargetError(told["error"].tobytes().decode())
    bodies = _parted("bodies", told)
    kept = zip(told["answered"].tolist(), told["answered_status"].tolist(), bodies, strict=True)
    return LoadRun(
        **{name: told[name] for name in _COLUMNS},
        connections=int(told["connections"]),
        waited=int(told["waited"]),
        answers=[RequestResult(index, status, body) for index, status, body in kept],
    )


def _joined(name: str, parts: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    return {name: np.frombuffer(b"".join(parts), dtype=np.uint8), f"{name}_ends": ends}


def _parted(name: str, told: _Arrays) -> list[bytes]:
    whole, ends = told[name].tobytes(), told[f"{name}_ends"].tolist()
    return [whole[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _write(pipe: IO[bytes], arrays: _Arrays) -> None:
    file = io.BytesIO()
    np.savez(file, **arrays)
    content = file.getvalue()
    pipe.write(len(content).to_bytes(8, "big") + content)
    pipe.flush()


def _read(pipe: IO[bytes]) -> _Arrays:
    """Read what was written; TargetError where the other side ended before."""
    length = int.from_bytes(pipe.read(8), "big")
    content = pipe.read(length)
    if not content or len(content) < length:
        raise TargetError("A worker of the generator ended before it had told what it saw.")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return dict(file)


def main() -> None:
    """Be a worker: read a share, say that it is ready, begin at the moment that is told, tell what became of it."""
    share = _read(sys.stdin.buffer)
    options = json.loads(share["options"].tobytes())
    schedule = Schedule(share["at"], options.pop("seconds"))
    payloads, keep = _parted("payloads", share), share["keep"].tolist()
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    begin = float(sys.stdin.buffer.readline())
    try:
        run = offer(options.pop("url"), schedule, payloads, keep=keep, start_at=begin, **options)
    except (TargetError, UsageError) as error:
        _write(sys.stdout.buffer, {"error": np.frombuffer(str(error).encode(), dtype=np.uint8)})
        return
    _write(
        sys.stdout.buffer,
        {
            **{name: getattr(run, name) for name in _COLUMNS},
            "connections": np.int64(run.connections),
            "waited": np.int64(run.waited),
            "answered": np.array([each.index for each in run.answers], dtype=np.int64),
            "answered_status": np.array([each.status for each in run.answers], dtype=np.int64),
            **_joined("bodies", [each.body for each in run.answers]),
        },
    )


if __name__ == "__main__":
    main()
