"""What the TCP proxy costs: ``python tests/bench/bench_wire.py``. Yardstick: the same server without it.

1. Added latency of a request on a kept connection, calm, median and p99 (at most 0.3 ms median wanted).
2. Connections, each with one request: how many in a row a second, and how many open at once (5 000 wanted).
3. The same median while a latency fault of 0 ms is placed, which puts every byte through the fault's path.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from seatrial.faults.network import Latency
from seatrial.faults.proxy.tcp import TcpProxy

STUB = Path(__file__).resolve().parents[1] / "support" / "stub.py"

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
WANTED = 5_000


def round_trips(address: tuple[str, int], count: int = 3_000) -> np.ndarray:
    """Seconds of each of so many requests, one after the other, on one connection."""
    seconds = np.empty(count)
    with socket.create_connection(address) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for index in range(count):
            begun = time.perf_counter()
            connection.sendall(REQUEST)
            connection.recv(4096)
            seconds[index] = time.perf_counter() - begun
    return seconds


def in_a_row(address: tuple[str, int], count: int) -> float:
    """Connections a second, each made, asked once, answered, and closed."""
    begun = time.perf_counter()
    for _ in range(count):
        with socket.create_connection(address) as connection:
            connection.sendall(REQUEST)
            assert connection.recv(4096).endswith(b"ok")
    return count / (time.perf_counter() - begun)


def main() -> None:
    """Measure with and without, print differences."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    stub = subprocess.Popen(
        [sys.executable, STUB],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    direct = ("127.0.0.1", int(stub.stdout.readline()))
    proxied = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(direct[1])], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    through = ("127.0.0.1", int(proxied.stdout.readline()))
    try:
        rounds = [(round_trips(direct), round_trips(through)) for _ in range(3)]
        without, within = (np.quantile(np.concatenate(side), [0.5, 0.99]) * 1e3 for side in zip(*rounds, strict=True))
        print(f"direct      p50 {without[0]:.3f} ms  p99 {without[1]:.3f} ms")
        print(f"proxied     p50 {within[0]:.3f} ms  p99 {within[1]:.3f} ms")
        print(
            f"added       p50 {within[0] - without[0]:.3f} ms (at most 0.3 wanted)  p99 {within[1] - without[1]:.3f} ms"
        )
        print(
            f"in a row    direct {in_a_row(direct, 2_000):.0f}/s, proxied {in_a_row(through, WANTED):.0f}/s, none lost"
        )
        with contextlib.ExitStack() as stack:
            many = [stack.enter_context(socket.create_connection(through)) for _ in range(WANTED)]
            for each in many:
                each.sendall(REQUEST)
            answered = sum(each.recv(4096).endswith(b"ok") for each in many)
        print(f"at once     {answered} of {WANTED} open connections answered")
        proxied.stdin.write(b"\n")
        proxied.stdin.flush()
        proxied.stdout.readline()
        faulted = np.quantile(round_trips(through), 0.5) * 1e3
        print(f"with a fault of 0 ms placed, added p50 {faulted - without[0]:.3f} ms")
    finally:
        for process in (proxied, stub):
            process.stdin.close()
            process.wait()


def serve(port: int) -> None:
    """Stand between, in a process of its own; a line on standard input places a fault that delays nothing."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with TcpProxy("127.0.0.1", port) as wire:
        print(wire.address[1], flush=True)
        if sys.stdin.readline():
            with wire.fault(Latency()):
                print("placed", flush=True)
                sys.stdin.read()


if __name__ == "__main__":
    serve(int(sys.argv[2])) if sys.argv[1:2] == ["--serve"] else main()
