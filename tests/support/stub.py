"""A server with known latencies, for the load benchmarks: ``python tests/bench/stub.py`` prints its port.

The body of a request says what happens to it: ``d0.02`` is answered 20 ms later, ``s2`` stalls the whole
server for 2 s (nothing at all is answered meanwhile), anything else is answered at once. What was held back is
answered with the ``time.monotonic()`` at which it was let go.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from time import monotonic

from seatrial.process.event_loop import new_loop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
STAMPED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n\r\n%020.9f"


class Stub(asyncio.Protocol):
    """Answers one request after the other on one connection."""

    stalled_until = 0.0

    def connection_made(self, transport):
        self.transport, self.buffer, self.loop = transport, b"", asyncio.get_running_loop()

    def data_received(self, data):
        data = self.buffer + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            at = data[:end].lower().find(b"content-length:")
            length = int(data[at + 15 : end].split(b"\r\n")[0]) if at >= 0 else 0
            if len(data) < end + 4 + length:
                break
            self.answer(data[end + 4 : end + 4 + length])
            data = data[end + 4 + length :]
        self.buffer = data

    def answer(self, body):
        now = self.loop.time()
        if body[:1] == b"s":
            Stub.stalled_until = now + float(body[1:])
        delay = float(body[1:]) if body[:1] == b"d" else 0.0
        due = max(now + delay, Stub.stalled_until)
        if due <= now:
            self.transport.write(ANSWER)
        else:
            self.loop.call_at(due, partial(self.late, due))

    def late(self, due):
        if due < Stub.stalled_until:  # it would have been ready in the middle of the stall
            self.loop.call_at(Stub.stalled_until, partial(self.late, Stub.stalled_until))
        else:
            self.transport.write(STAMPED % monotonic())


async def main():
    """Serve on a free port of 127.0.0.1 until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Stub, "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
