"""What the golden check costs over a wire, against bare httpx: ``bench_golden.py [REQUESTS [PARTS]]``.

The yardstick sends the same requests at the same concurrency with httpx.AsyncClient and reads the answers, against the
same server. The check also reads strict JSON, matches keys and compares every field.

The requests are asked in parts. Each part is a pair, check and yardstick one right after the other, the yardstick first
in every second one; told is the median of the pairs' ratios. A machine that is busy for a while slows both sides of a
pair, and not one side of the ratio. Exit code 1 above the limit.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from types import SimpleNamespace

import httpx
import numpy as np
import pandas as pd

from seatrial import Pipeline, Service, capture
from seatrial.checks.golden.service import run_service
from seatrial.io import frame_json
from seatrial.targets.rest import Rest
from seatrial.trial import Trial

PARTS, CONNECTIONS, LIMIT = 20, 8, 1.3
Spent = dict[str, float]
CLOCKS = {"wall": time.perf_counter, "CPU": time.process_time}
SERVER = r"""
import asyncio, json, sys
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
def answer(r):
    return {"id": r["id"], "score": r["a"] * 2 + r["b"], "high": r["a"] > r["b"], "band": f"b{r['n'] % 3}"}
class Answers(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""
    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n")[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = json.dumps(answer(json.loads(self.buffer[end + 4 : end + 4 + length]))).encode()
            self.buffer = self.buffer[end + 4 + length :]
            self.transport.write(HEAD % len(body) + body)
async def main():
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"""


def requests(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    numbers = {"a": rng.normal(size=rows), "b": rng.normal(size=rows), "n": range(rows)}
    return pd.DataFrame({"id": [f"k{n:06d}" for n in range(rows)], **numbers})


def respond(f: pd.DataFrame) -> pd.DataFrame:
    band = "b" + (f["n"] % 3).astype(str)
    return pd.DataFrame({"id": f["id"], "score": f["a"] * 2 + f["b"], "high": f["a"] > f["b"], "band": band})


async def bare(url: str, bodies: list[bytes]) -> None:
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(limits=limits, timeout=30) as client:
        waiting = iter(bodies)

        async def worker() -> None:
            for body in waiting:
                response = await client.post(url, content=body, headers={"content-type": "application/json"})
                assert response.status_code == 200
                response.json()

        await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))


def golden(url: str, pipeline: Pipeline, reference: object, rows: int) -> Spent:
    trial = Trial(pipeline, reference)
    trial.chained("response")  # the path in process is not the wire's cost
    with Rest(url, key="id", seconds=30, connections=CONNECTIONS) as target:
        running = SimpleNamespace(ended=lambda: None)
        trial.once("live service", lambda: SimpleNamespace(service=pipeline.service, running=running, target=target))
        begin = now()
        events = list(run_service(trial, "golden"))
        spent = since(begin)
    assert [type(e).__name__ for e in events] == ["Measurement", "Evaluated"], events
    assert events[-1].compared == rows * 3
    return spent


def now() -> Spent:
    return {name: clock() for name, clock in CLOCKS.items()}


def since(begin: dict[str, float]) -> Spent:
    return {name: clock() - begin[name] for name, clock in CLOCKS.items()}


def main(rows: int, parts: int) -> int:
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/score"
        service = Service(["none", "{port}"], predict="/score")
        pipeline = Pipeline("bench", key="id", points=lambda f: f, response=respond, service=service)
        frame, pairs = requests(rows), []
        for n in range(parts):
            part = frame.iloc[n * rows // parts : (n + 1) * rows // parts].reset_index(drop=True)
            pairs.append(pair(url, pipeline, part, first=bool(n % 2)))
    finally:
        server.stdin.close()
        server.wait(10)
    print(f"{rows:,} requests in {parts} parts, {CONNECTIONS} at once; limit of the ratio {LIMIT}")
    medians = {}
    for clock in CLOCKS:
        theirs, mine = (sum(side[clock] for side in sides) for sides in zip(*pairs, strict=True))
        ratios = [ours[clock] / bare[clock] for bare, ours in pairs]
        medians[clock] = statistics.median(ratios)
        low, _, high = statistics.quantiles(ratios, n=4)
        print(
            f"  {clock:<5} httpx {theirs:6.2f} s   golden {mine:6.2f} s   "
            f"median ratio {medians[clock]:.2f} (half of them from {low:.2f} to {high:.2f})"
        )
    return int(medians["wall"] > LIMIT)


def pair(url: str, pipeline: Pipeline, frame: pd.DataFrame, *, first: bool) -> tuple[Spent, Spent]:
    """Return what the yardstick and the check take for the same requests; ``first`` is whether the yardstick begins."""
    reference = capture(pipeline, frame)
    bodies = [text.encode() for text in frame_json.payloads(frame)]
    sides = {}
    for yardstick in (first, not first):
        begin = now()
        if yardstick:
            asyncio.run(bare(url, bodies))
        sides[yardstick] = since(begin) if yardstick else golden(url, pipeline, reference, len(frame))
    return sides[True], sides[False]


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*given, *(10_000, PARTS)[len(given) :]))
