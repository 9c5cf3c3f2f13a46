"""Unary gRPC calls on a schedule: the open loop of :mod:`seatrial.loadgen.wire.generator` over HTTP/2."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import numpy as np

from seatrial.errors import TargetError, UsageError
from seatrial.loadgen.results import ANSWERED, BROKEN, REFUSED, TIMED_OUT, UNSENT, LoadRun, RequestResult
from seatrial.loadgen.schedule import Schedule
from seatrial.pipeline.address import DISCONNECTED, GRPC_STATUS, UNCONNECTED

CHANNELS = 4  # each a connection, on which a server takes about a hundred calls at once
MAX_RESPONSE_BYTES = 64 * 2**20
_CONNECT_SECONDS, _GRACE_SECONDS = 5.0, 5.0
_EARLY_SECONDS = 0.05  # before its deadline, a call that exceeded one exceeded that of the server
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES), ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0),
]  # fmt: skip


class GrpcGenerator:
    """One run of one schedule of unary calls.

    Args:
        host: with its port, such as ``127.0.0.1:8081``.
        calls: for each payload the method, such as ``/inference.GRPCInferenceService/ModelInfer``, and the message.
        timeout: in seconds, from when a call was due.
        keep: indices of calls whose responses are returned.
        order: the place in ``calls`` for each call of the schedule; used in turn.
        metadata: of every call.
    """

    def __init__(
        self,
        host: str,
        calls: Sequence[tuple[str, bytes]],
        *,
        timeout: float,
        keep: Collection[int],
        order: Sequence[int],
        metadata: Mapping[str, str],
    ) -> None:
        try:
            import grpc.aio
        except ImportError as error:
            raise UsageError("gRPC is spoken with grpcio: pip install 'seatrial[oip]'.") from error
        self.grpc: Any = grpc
        self.host, self.calls, self.timeout, self.keep, self.order = host, calls, timeout, keep, order
        self.metadata = [(name.lower(), value) for name, value in metadata.items()]
        self.answers: list[RequestResult] = []

    async def run(self, schedule: Schedule, start_at: float | None) -> LoadRun:
        """Make every call when it is due, and wait until each has ended.

        Raises:
            TargetError: nothing listens before the first call is due.
        """
        channels = [self.grpc.aio.insecure_channel(self.host, options=_OPTIONS) for _ in range(CHANNELS)]
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.gather(*(channel.channel_ready() for channel in channels))
            return await self._run(channels, schedule, start_at)
        except TimeoutError as error:
            raise TargetError(f"Nothing listens at {self.host} that speaks gRPC.") from error
        finally:
            for channel in channels:
                await channel.close(None)

    async def _run(self, channels: Sequence[Any], schedule: Schedule, start_at: float | None) -> LoadRun:
        count = len(schedule)
        self.sent, self.done = np.full(count, math.nan), np.full(count, math.nan)
        self.status, self.outcome = np.zeros(count, np.int16), np.full(count, UNSENT, np.uint8)
        methods = {m: [channel.unary_unary(m) for channel in channels] for m in dict(self.calls)}
        start = monotonic() + 0.01 if start_at is None else start_at
        due = (schedule.at + start).tolist()
        tasks = set[asyncio.Task[None]]()
        for index, moment in enumerate(due):
            if (pause := moment - monotonic()) > 0:
                await asyncio.sleep(pause)
            method, message = self.calls[self.order[index % len(self.order)]]
            call = methods[method][index % len(channels)]
            task = asyncio.create_task(self._call(call, message, index, moment))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.sleep(0)  # what is sent and received has its turn
        with suppress(TimeoutError):  # what has not ended by then was never answered
            async with asyncio.timeout(due[-1] + self.timeout + _GRACE_SECONDS - monotonic()):
                await asyncio.gather(*tasks)
        return LoadRun(
            schedule.at, self.sent - start, self.done - start, self.status, self.outcome, connections=len(channels),
            answers=tuple(sorted(self.answers, key=lambda answer: answer.index)),
        )  # fmt: skip

    async def _call(self, call: Any, message: bytes, index: int, due: float) -> None:
        self.sent[index] = now = monotonic()
        status, body, code = 200, b"", "OK"
        try:
            body = await call(message, timeout=max(0.0, due + self.timeout - now), metadata=self.metadata)
        except self.grpc.aio.AioRpcError as error:
            code, said = error.code().name, str(error.details())
            status, body = GRPC_STATUS.get(code, 500), said.encode()
            if code == "DEADLINE_EXCEEDED" and monotonic() > due + self.timeout - _EARLY_SECONDS:
                status = 0
                self.outcome[index] = TIMED_OUT
            elif code == "UNAVAILABLE" and UNCONNECTED.match(said):
                status, self.outcome[index] = 0, REFUSED
            elif code == "UNAVAILABLE" and DISCONNECTED.match(said):
                status, self.outcome[index] = 0, BROKEN
        self.done[index] = monotonic()
        if status:
            self.outcome[index], self.status[index] = ANSWERED, status
            if index in self.keep:
                self.answers.append(RequestResult(index, status, body, {"grpc-status": code}))
