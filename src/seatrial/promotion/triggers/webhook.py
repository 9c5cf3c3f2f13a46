"""The receiver of registries' webhooks: a small ASGI application for untrusted requests.

A delivery is only a hint to scan the registry now. A refused one starts nothing. An accepted one is answered with 202,
then recorded in the ledger, which detects a replay, and then a reconcile run is started. A delivery that is lost costs
a minute: the scheduled run finds its version.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from seatrial.errors import UsageError
from seatrial.io.files import write_once
from seatrial.promotion.triggers import mlflow, wandb
from seatrial.promotion.triggers.delivery import BODY_BYTES, HEAD_BYTES, Delivery, Refused, Sender, head_of

SECRET = "SEATRIAL_WEBHOOK_SECRET"  # noqa: S105  the names of variables
WANDB_SECRET, WANDB_TOKEN = "SEATRIAL_WANDB_WEBHOOK_SECRET", "SEATRIAL_WANDB_WEBHOOK_TOKEN"
SECRET_LENGTH = 16  # at least
PORT = 4300
HEAD_SECONDS = 5.0  # from the connection to the end of the request's head
BODY_SECONDS = 5.0
CONNECTIONS = 64
QUEUE_LENGTH = 1_000  # accepted deliveries not yet recorded; above it the sender must try again

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Inbox(Protocol):
    """Records deliveries: the ledger."""

    def deliver(self, delivery_id: str, body_sha: str, name: str, number: str) -> bool:
        """Record a delivery; False when it was recorded before."""


class Receiver:
    """The ASGI application.

    Args:
        senders: what is received, by its path.
        inbox: the ledger; called from one thread of its own.
        dispatch: starts a reconcile run for the new deliveries; called from the same thread.
    """

    def __init__(
        self, senders: Mapping[str, Sender], inbox: Inbox, dispatch: Callable[[Sequence[Delivery]], None]
    ) -> None:
        self._senders, self._inbox, self._dispatch = senders, inbox, dispatch
        self._accepted: asyncio.Queue[Delivery] = asyncio.Queue(QUEUE_LENGTH)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or start and stop with the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            status, payload = await self._answer(scope, receive)
        except Refused as refused:
            status, payload = refused.status, {"error": str(refused)}
        body = json.dumps(payload).encode()
        # One request a connection: the rest of a refused body is not read, and no client occupies a connection.
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive) -> tuple[int, dict[str, str]]:
        if scope["path"] == "/health" and scope["method"] == "GET":
            return 200, {"status": "ready"}
        sender = self._senders.get(scope["path"])
        if sender is None:
            raise Refused(404, f"Send deliveries to {' or '.join(self._senders)}.")
        if scope["method"] != "POST":
            raise Refused(405, "Send deliveries by POST.")
        read = sender(head_of(scope["headers"]), time.time())
        delivery = read(await _body(receive))
        if delivery is None:
            return 202, {"status": "ignored"}
        try:
            self._accepted.put_nowait(delivery)
        except asyncio.QueueFull:
            raise Refused(503, "Too many deliveries at once. Try again later.") from None
        return 202, {"status": "accepted"}

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        worker = asyncio.create_task(self._work())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._accepted.join(), 2)
        worker.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _work(self) -> None:
        while True:
            batch = [await self._accepted.get()]
            while not self._accepted.empty():
                batch.append(self._accepted.get_nowait())
            try:
                await asyncio.to_thread(self._record, batch)
            except Exception as error:  # noqa: BLE001  the scheduled run finds the versions
                message = f"Delivery not recorded: {type(error).__name__}. The next scheduled run finds its version."
                print(message, file=sys.stderr)  # noqa: T201
            finally:
                for _ in batch:
                    self._accepted.task_done()

    def _record(self, batch: Sequence[Delivery]) -> None:
        new = [d for d in batch if self._inbox.deliver(d.id, d.body_sha, d.name, d.number)]
        if new:
            self._dispatch(new)  # one run scans everything, so a burst starts one


async def _body(receive: Receive) -> bytes:
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "The body ended early.")
                content += message.get("body", b"")
                if len(content) > BODY_BYTES:
                    raise Refused(413, f"The body of a request is limited to {BODY_BYTES:,} bytes.")
                if not message.get("more_body"):
                    return bytes(content)
    except TimeoutError:
        raise Refused(408, f"The body did not arrive within {BODY_SECONDS:g} s.") from None


def senders(state: Path) -> dict[str, Sender]:
    """Return what is received, by its path: MLflow's deliveries, and those of Weights & Biases where a variable is set.

    Raises:
        UsageError: a secret is shorter than 16 characters.
    """
    found = {mlflow.PATH: mlflow.sender(secret(state))}
    key, token = (
        _checked(name, os.environ[name]) if os.environ.get(name) else b"" for name in (WANDB_SECRET, WANDB_TOKEN)
    )
    return found | ({wandb.PATH: wandb.sender(key, token)} if key or token else {})


def secret(state: Path) -> bytes:
    """Return the secret shared with MLflow: ``SEATRIAL_WEBHOOK_SECRET``, else the project's, generated on first use.

    Raises:
        UsageError: it is shorter than 16 characters.
    """
    if (given := os.environ.get(SECRET)) is None:
        path = state / "keys" / "webhook.secret"
        if not path.exists():
            write_once(path, secrets.token_urlsafe(32).encode())
        given = path.read_text(encoding="utf-8").strip()
    return _checked(SECRET, given)


def _checked(name: str, given: str) -> bytes:
    if len(given) < SECRET_LENGTH:
        raise UsageError(f"{name} must have at least {SECRET_LENGTH} characters. Choose a longer secret.")
    return given.encode()


def serve(receiver: Receiver, *, host: str = "127.0.0.1", port: int = PORT) -> None:
    """Serve until the process receives a signal to stop.

    Connections, the head, the body and the time for each are bounded, so that a client can neither fill the memory nor
    block the receiver.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class TimeLimited(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.loop.call_later(HEAD_SECONDS, self._close_without_head)

        def _close_without_head(self) -> None:
            if not getattr(self, "cycle", None):  # no complete head yet
                self.transport.close()

    uvicorn.run(
        receiver,
        host=host,
        port=port,
        http=TimeLimited,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=HEAD_BYTES,
        timeout_graceful_shutdown=5,
    )
