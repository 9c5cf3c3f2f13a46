"""Every fault of the TCP proxy against a real server: it is counted, does what it states, and is undone."""

import contextlib
import os
import socket
import threading
import time
from functools import partial

import pytest

from seatrial.errors import TargetError, UsageError
from seatrial.faults.base import seeded_random
from seatrial.faults.network import Bandwidth, Down, Latency, LimitData, ResetPeer, Slicer, SlowClose, Timeout
from seatrial.faults.proxy.tcp import TcpProxy
from seatrial.process.event_loop import Background
from tests.support.waiting import until

LONG = 5.0
eventually = partial(until, seconds=LONG, every=0.001)


@pytest.fixture
def echo():
    """A server that sends back what it gets, and closes when the client does; its port."""

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def start():
        import asyncio

        return await asyncio.start_server(serve, "127.0.0.1", 0)

    background = Background("echo")
    server = background.run(start())
    yield server.sockets[0].getsockname()[1]
    background.call(server.close)
    background.stop()


@pytest.fixture
def proxy(echo):
    with TcpProxy("127.0.0.1", echo, seed=3) as proxy:
        yield proxy


def connected(proxy):
    return socket.create_connection(proxy.address, timeout=LONG)


def exchange(connection, data=b"ping"):
    connection.sendall(data)
    return received(connection, len(data))


def received(connection, count):
    got = b""
    while len(got) < count and (more := connection.recv(65536)):
        got += more
    return got


def unanswered(proxy):
    """Whether a connection is dropped without an answer."""
    try:
        with connected(proxy) as connection:
            return exchange(connection) == b""
    except ConnectionError:
        return True


def test_without_a_fault_bytes_pass_unchanged_both_ways(proxy):
    data = os.urandom(3_000_000)
    with connected(proxy) as connection:
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        assert received(connection, len(data)) == data
        sender.join()
    assert proxy.connections == 1


def test_a_half_closed_connection_still_answers(proxy):
    with connected(proxy) as connection:
        connection.sendall(b"last data")
        connection.shutdown(socket.SHUT_WR)
        assert received(connection, 100) == b"last data"


def test_latency_delays_and_keeps_order_and_is_undone(proxy):
    with connected(proxy) as connection:
        with proxy.fault(Latency(latency=60, jitter=20)) as hits:
            begun = time.monotonic()
            assert exchange(connection, b"abc") == b"abc"
            assert time.monotonic() - begun >= 0.04
            for each in b"abcdefgh":
                connection.sendall(bytes([each]))
            assert received(connection, 8) == b"abcdefgh"
        assert hits.count >= 2
        before = hits.count
        assert exchange(connection) == b"ping"
        assert hits.count == before


def test_delayed_data_is_released_when_the_fault_is_undone(proxy):
    with connected(proxy) as connection:
        with proxy.fault(Latency(latency=60_000)) as hits:
            connection.sendall(b"late")
            eventually(lambda: hits.count)
        assert received(connection, 4) == b"late"


def test_bandwidth_takes_the_time_its_rate_needs(proxy):
    with connected(proxy) as connection, proxy.fault(Bandwidth(rate=100)) as hits:
        begun = time.monotonic()
        assert len(exchange(connection, bytes(10_000))) == 10_000
        assert time.monotonic() - begun >= 0.099
        assert hits.count


def test_slow_close_delays_the_end(proxy):
    with connected(proxy) as connection, proxy.fault(SlowClose(delay=80)) as hits:
        begun = time.monotonic()
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
        assert time.monotonic() - begun >= 0.079
        assert hits.count == 1


def test_timeout_drops_data_and_closes(proxy):
    with connected(proxy) as connection, proxy.fault(Timeout(timeout=50)) as hits:
        connection.sendall(b"anyone?")
        assert connection.recv(1) == b""
        assert hits.count == 1


def test_timeout_zero_never_answers_and_closes_its_connections_when_undone(proxy):
    with connected(proxy) as connection:
        with proxy.fault(Timeout()) as hits:
            connection.sendall(b"anyone?")
            connection.settimeout(0.05)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            assert hits.count == 1
        connection.settimeout(LONG)
        assert connection.recv(1) == b""
    with connected(proxy) as fresh:
        assert exchange(fresh) == b"ping"


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_reset_peer_resets(proxy, stream):
    with connected(proxy) as connection, proxy.fault(ResetPeer(timeout=5, stream=stream)) as hits:
        connection.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        assert hits.count == 1


def test_slicer_cuts_and_loses_nothing(proxy):
    data = os.urandom(400)
    with connected(proxy) as connection, proxy.fault(Slicer(average_size=50, size_variation=10, delay=3000)) as hits:
        connection.sendall(data)
        pieces, got = 0, b""
        while len(got) < len(data):
            got += connection.recv(65536)
            pieces += 1
        assert got == data
        assert pieces > 1
        assert hits.count


def test_limit_data_cuts_off_after_its_bytes(proxy):
    with connected(proxy) as connection, proxy.fault(LimitData(bytes=10)) as hits:
        assert exchange(connection, b"12345") == b"12345"
        assert hits.count == 0
        connection.sendall(b"6789012345")
        assert received(connection, 100) == b"67890"
        assert hits.count == 1


def test_down_cuts_live_connections_and_refuses_new_ones(proxy):
    with connected(proxy) as connection:
        exchange(connection)
        with proxy.fault(Down()) as hits:
            assert connection.recv(1) == b""
            for _ in range(3):
                with pytest.raises(ConnectionRefusedError):
                    connected(proxy)
            assert hits.count == 1
    with connected(proxy) as fresh:
        assert exchange(fresh) == b"ping"


def test_down_without_a_live_connection_resets_once_and_then_refuses(proxy):
    with proxy.fault(Down()) as hits:
        assert hits.count == 0
        assert unanswered(proxy)
        eventually(lambda: hits.count == 1)
        with pytest.raises(ConnectionRefusedError):
            connected(proxy)
    with connected(proxy) as fresh:
        assert exchange(fresh) == b"ping"


def test_down_holds_for_the_whole_dependency_once(proxy):
    with pytest.raises(UsageError, match="whole dependency"), proxy.fault(Down(toxicity=0.5)):
        pass
    with proxy.fault(Down()), pytest.raises(UsageError, match="no second"), proxy.fault(Down()):
        pass
    with connected(proxy) as connection:
        assert exchange(connection) == b"ping"


def test_a_fault_is_undone_when_its_block_raises(proxy):
    with pytest.raises(KeyError), proxy.fault(Timeout()):
        raise KeyError
    with connected(proxy) as connection:
        assert exchange(connection) == b"ping"


def test_faults_stack(proxy):
    with (
        connected(proxy) as connection,
        proxy.fault(Latency(latency=30)) as slow,
        proxy.fault(Slicer(average_size=3)) as cut,
    ):
        begun = time.monotonic()
        assert exchange(connection, b"0123456789") == b"0123456789"
        assert time.monotonic() - begun >= 0.029
        assert slow.count == 1
        assert cut.count == 1


def test_a_fault_that_was_not_hit_counts_nothing(proxy):
    with connected(proxy) as connection, proxy.fault(Latency(latency=1, stream="upstream")) as hits:
        assert connection.fileno() > 0
    assert hits.count == 0


def test_toxicity_hits_the_same_connections_for_the_same_seed(echo):
    def hit_pattern(seed):
        with TcpProxy("127.0.0.1", echo, seed=seed) as proxy, proxy.fault(Latency(toxicity=0.5)) as hits:
            pattern = []
            for _ in range(12):
                with connected(proxy) as connection:
                    before = hits.count
                    exchange(connection)
                    pattern.append(hits.count > before)
            return pattern

    expected = [seeded_random(9, 1, number).random() < 0.5 for number in range(1, 13)]
    assert hit_pattern(9) == hit_pattern(9) == expected
    assert 0 < sum(expected) < 12


def test_a_client_of_an_unreachable_dependency_is_dropped():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with TcpProxy("127.0.0.1", free.getsockname()[1]) as proxy:
            assert unanswered(proxy)
            eventually(lambda: proxy.open == 0)


def test_nothing_is_left_behind(echo):
    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    before, threads = descriptors(), set(threading.enumerate())
    with TcpProxy("127.0.0.1", echo) as proxy:
        clients = [connected(proxy) for _ in range(20)]
        with proxy.fault(Latency(latency=60_000)):
            for client in clients:
                client.sendall(b"held")
            eventually(lambda: proxy.open == 20)
        assert [received(client, 4) for client in clients] == [b"held"] * 20
    for client in clients:
        client.close()
    assert set(threading.enumerate()) <= threads
    eventually(lambda: descriptors() == before)  # the echo server's own sockets close a moment later


def test_a_url_leads_through_the_proxy(proxy):
    host, port = proxy.address
    assert proxy.through("postgresql+psycopg://me:secret@db:5432/x?a=1") == (
        f"postgresql+psycopg://me:secret@{host}:{port}/x?a=1"
    )


def test_a_proxy_listens_where_it_is_told_and_is_called_as_it_is_told(echo):
    """Clients get the name; another address of the loopback does not answer."""
    with TcpProxy("127.0.0.1", echo, bind="127.0.0.2", name="localhost.here") as proxy:
        assert proxy.address[0] == "127.0.0.2"
        assert (
            proxy.through(f"redis://me:pw@127.0.0.1:{echo}/0") == f"redis://me:pw@localhost.here:{proxy.address[1]}/0"
        )
        with connected(proxy) as connection:
            assert exchange(connection) == b"ping"
            assert proxy.held == 1
            connection.shutdown(socket.SHUT_WR)
            until(lambda: not proxy.held)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.address[1]), timeout=LONG)


def test_an_address_of_another_machine_cannot_be_listened_on(echo):
    """The message says which setting it is."""
    with (
        pytest.raises(TargetError, match=r"cannot listen on 192\.0\.2\.1: .*bind in \[resilience\]"),
        TcpProxy("127.0.0.1", echo, bind="192.0.2.1"),
    ):
        pass
