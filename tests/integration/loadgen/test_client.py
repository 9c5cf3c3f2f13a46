"""The open-loop client against a real server with known latencies: it measures the truth and counts everything."""

import asyncio
import contextlib
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
from time import monotonic

import numpy as np
import pytest

from seatrial.errors import TargetError
from seatrial.loadgen.client import offer
from seatrial.loadgen.estimates import quantile
from seatrial.loadgen.results import OUTCOMES
from seatrial.loadgen.schedule import constant, poisson
from seatrial.loadgen.validity import invalid_reasons
from seatrial.loadgen.workers import offer_by
from seatrial.process.event_loop import Background
from tests.support.load_shapes import recorded
from tests.support.paths import SUPPORT

STUB = SUPPORT / "stub.py"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def stub():
    """The URL of the stub server, in a process of its own."""
    with subprocess.Popen([sys.executable, STUB], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        process.stdin.close()


@contextlib.contextmanager
def serving(answer):
    """A server that gives ``answer(request number, reader, writer)`` to each request; its URL and the requests."""
    seen = []

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                seen.append(await reader.readexactly(length))
                await answer(len(seen) - 1, writer)
                if writer.is_closing():
                    break
        writer.close()

    background = Background("server")
    server = background.run(asyncio.wait_for(asyncio.start_server(serve, "127.0.0.1", 0), 5))
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/score", seen
    finally:
        background.call(server.close)
        background.stop()


def writing(*pieces):
    async def answer(_, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    return answer


def test_latencies_are_the_truth_through_a_stall(stub):
    """No latency is shorter than the server took, and a stall counts for every request that fell due in it.

    True on a machine of any kind: what a busy one adds is in the server's own stamps, but for the reading of
    the answer, and of many answers some are read at once. How near the percentiles come is for ``bench_load.py``.
    """
    schedule, stall = poisson(constant(400, 2), 7), 0.4
    delays = np.random.default_rng(7).integers(30, 60, len(schedule)) / 1000
    middle = len(schedule) // 2
    payloads = [b"d%.3f" % each for each in delays]
    payloads[middle] = b"s%.1f" % stall
    delays[middle] = stall
    start = monotonic() + 0.1
    run = offer(stub, schedule, payloads, keep=range(len(schedule)), connections=512, start_at=start)
    assert run.counts() == {"status 200": len(schedule)}
    true = np.array([float(each.body) for each in run.answers]) - start - schedule.at
    read_after = run.latencies - true
    assert (true >= delays - 1e-6).all()
    assert (read_after > -1e-6).all()
    assert quantile(read_after, 0.1) < 0.02 * quantile(true, 0.5)
    assert (true > 0.1).sum() > 80  # of 400 a second, for the 0.3 s that were left of the stall
    assert (delays > 0.1).sum() == 1  # all that a closed loop would have seen of it


def test_payloads_are_used_in_turn_and_chosen_responses_are_returned(stub):
    with serving(writing(OK)) as (url, seen):
        run = offer(url, recorded(np.arange(7) / 100), [b"a", b"bb", b"ccc"], keep=[2, 5], connections=1)
    assert seen == [b"a", b"bb", b"ccc", b"a", b"bb", b"ccc", b"a"]
    assert [(each.index, each.status, each.body) for each in run.answers] == [(2, 200, b"ok"), (5, 200, b"ok")]


@pytest.mark.parametrize(
    "pieces",
    [
        (OK,),
        (OK[:20], OK[20:37], OK[37:]),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK,),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n", b"1;x=y\r\nk\r\n0\r\n", b"\r\n"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nTrailer: x\r\n\r\n",),
    ],
)
def test_an_answer_is_read_whole_however_it_arrives(pieces):
    with serving(writing(*pieces)) as (url, _):
        run = offer(url, recorded([0, 0.01, 0.02]), keep=range(3))
    assert [(each.status, each.body) for each in run.answers] == [(200, b"ok")] * 3
    assert run.good.all()


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.0 200 OK\r\n\r\nok"]
)
def test_a_server_that_closes_after_each_answer_gets_new_connections(head):
    async def answer(_, writer):
        writer.write(head)
        await writer.drain()
        writer.close()

    with serving(answer) as (url, _):
        run = offer(url, poisson(constant(200, 0.2), 1), keep=range(1000))
    assert run.good.all()
    assert {each.body for each in run.answers} == {b"ok"}


def test_an_answer_of_unknown_length_is_not_whole_where_its_connection_is_reset():
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf of")
        await writer.drain()
        kept = writer.get_extra_info("socket")
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    with serving(answer) as (url, _):
        run = offer(url, recorded(np.arange(4) / 50), keep=range(4))
    assert run.counts() == {"connection broken": 4}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_rate_limit_asks_to_wait_is_kept(workers):
    """The texts of Retry-After of answers with status 429, each once, and those of no other answer."""

    async def answer(number, writer):
        told = [b"429 Slow\r\nRetry-After: 3", b"429 Slow", b"200 OK\r\nRetry-After: 8", b"429 Slow\r\nretry-after: 5"]
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % told[number % 4])

    with serving(answer) as (url, _):
        run = offer_by(workers, url, recorded([0.05 * n for n in range(8)]))
    assert run.counts() == {"status 200": 2, "status 429": 6}
    assert sorted(run.retry_after) == ["3", "5"]


def test_statuses_outside_200_to_299_are_misses():
    async def answer(number, writer):
        status = [b"200 OK", b"503 Busy", b"404 Gone", b"304 Same"][number % 4]
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)

    with serving(answer) as (url, _):
        run = offer(url, recorded(np.arange(8) / 100), connections=1)
    assert run.counts() == {"status 200": 2, "status 304": 2, "status 404": 2, "status 503": 2}
    assert np.isinf(run.latencies).tolist() == [False, True, True, True] * 2
    assert run.misses(5.0).sum() == 6


def test_requests_that_are_never_answered_time_out_and_are_counted():
    async def answer(number, writer):
        if number % 2:
            writer.write(OK)

    with serving(answer) as (url, _):
        run = offer(url, recorded(np.arange(10) / 100), timeout_seconds=1.0)
    assert run.counts() == {"status 200": 5, "timed out": 5}
    assert np.isinf(run.latencies).sum() == 5


def test_waiting_for_a_connection_counts_as_latency_and_is_reported():
    async def answer(number, writer):
        if number:
            writer.write(OK)

    with serving(answer) as (url, _):
        run = offer(url, recorded([0, 0.7, 0.7, 0.7, 0.7]), timeout_seconds=1.0, connections=1)
    assert run.counts() == {"status 200": 4, "timed out": 1}
    assert run.waited >= 4
    assert run.latencies[1] > 0.25  # it was due at 700 ms, and sent when the first had timed out
    assert invalid_reasons(run, 1.0)


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", OK[:-1]]
)
def test_a_broken_answer_is_counted_and_never_sent_again(garbage):
    async def answer(_, writer):
        writer.write(garbage)
        await writer.drain()
        writer.close()

    with serving(answer) as (url, seen):
        run = offer(url, recorded(np.arange(4) / 100))
    assert run.counts() == {"connection broken": 4}
    assert len(seen) == 4


def test_a_service_that_dies_is_counted_to_the_last_request():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        def die():
            connection, _ = listener.accept()
            connection.recv(4096)
            listener.close()
            connection.close()

        thread = threading.Thread(target=die)
        thread.start()
        run = offer(url, recorded(np.arange(20) / 100))
        thread.join()
    counts = run.counts()
    assert counts["connection broken"] >= 1
    assert counts["connection refused"] >= 15
    assert sum(counts.values()) == 20


def test_an_address_without_a_service_is_an_error_before_the_load_begins():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(TargetError, match="Nothing listens"):
            offer(f"http://127.0.0.1:{free.getsockname()[1]}/", recorded([0, 1]))


def test_running_out_of_descriptors_is_the_generators_fault():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    complaints = []
    with serving(writing()) as (url, _), pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.BaseEventLoop, "call_exception_handler", lambda _, context: complaints.append(context))
        taken = [os.open(os.devnull, os.O_RDONLY)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 100, hard))
        taken += [os.open(os.devnull, os.O_RDONLY) for _ in range(84)]
        try:
            run = offer(url, recorded(np.arange(40) / 1000), timeout_seconds=0.3, connections=20)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for each in taken:
                os.close(each)
    counts = run.counts()
    assert counts["never sent"] > 0
    assert "connection refused" not in counts
    assert sum(counts.values()) == 40
    assert invalid_reasons(run, 1.0)
    assert not [each for each in complaints if "seatrial/load" in repr(each)]


def test_a_run_of_a_generator_without_its_core_is_invalid(stub):
    """A thread that holds the interpreter makes every request late: the run reports it, whatever the service did."""
    stop, before = threading.Event(), sys.getswitchinterval()

    def hold():
        while not stop.is_set():
            pass

    holder = threading.Thread(target=hold)
    sys.setswitchinterval(0.05)
    holder.start()
    try:
        run = offer(stub, recorded(np.arange(30) / 60))
    finally:
        stop.set()
        holder.join()
        sys.setswitchinterval(before)
    assert "the generator was late" in " ".join(invalid_reasons(run, 0.1))


def test_every_request_ends_in_one_of_the_ways(stub):
    run = offer(stub, poisson(constant(1500, 0.5), 3), [b"x", b"d0.05", b"d9"], timeout_seconds=0.2, connections=40)
    assert sum(run.counts().values()) == len(run)
    assert "never sent" not in run.counts()
    assert run.outcome.max() < len(OUTCOMES)
    assert not np.isnan(run.sent).any()
    assert not np.isnan(run.done).any()
