"""Requests that are slow and in time: those that are under way at once all have a connection."""

import asyncio
from types import SimpleNamespace

import numpy as np
import pandas as pd

from seatrial.checks.resilience.experiment import Experiment
from seatrial.checks.resilience.observation import Baseline
from seatrial.loadgen.results import ANSWERED
from seatrial.loadgen.schedule import Schedule
from seatrial.pipeline import HttpRequest
from seatrial.policy.failures import FailurePolicy
from seatrial.process.event_loop import Background

UNDER_WAY = 120  # at once, at 100 requests a second with a deadline of 1.5 s


def test_a_request_never_waits_for_a_connection_of_the_generator():
    """The server answers once all of them are there, so that one that is held back would lose them all."""
    seen, everyone = [], asyncio.Event()

    async def serve(reader, writer):
        while await reader.readline() not in (b"", b"\r\n"):
            pass
        seen.append(writer)
        if len(seen) >= UNDER_WAY:
            everyone.set()
        await everyone.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    background = Background("server")
    server = background.run(asyncio.start_server(serve, "127.0.0.1", 0, backlog=UNDER_WAY))
    policy = FailurePolicy(timeout_ms=500, deadline_ms=1_500, rate=100)
    proxy = SimpleNamespace(names=["store"], calls=0, open_files=0, ports=frozenset(), held=0)
    running = SimpleNamespace(pid=0, elsewhere=True, ended=lambda: None)
    baseline = Baseline(SimpleNamespace(), pd.DataFrame(), np.array([True]), policy)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    experiment = Experiment("resilience", "store", proxy, running, [HttpRequest(b"{}", path="/")], baseline, url)
    try:
        observed = experiment.send(Schedule(np.arange(UNDER_WAY) / 100, UNDER_WAY / 100))
    finally:
        background.call(server.close)
        background.call(everyone.set)
        background.stop()
    assert (observed.run.outcome == ANSWERED).all()
    assert observed.run.waited == 0
