"""A courier between MLflow's webhooks and our receiver: it drops, doubles, delays and forges what it is given."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from random import Random

SHARES = {"dropped": 25, "doubled": 20, "delayed": 20, "forged": 15, "delivered": 20}


@contextlib.contextmanager
def courier(receiver: str, dice: Random) -> Iterator[tuple[str, Counter[str]]]:
    """Take webhooks for ``receiver`` until the block ends; yield the address, and what became of how many."""
    seen = Counter[str]()
    handler = type("Handler", (_Courier,), {"receiver": receiver, "dice": dice, "seen": seen})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


class _Courier(http.server.BaseHTTPRequestHandler):
    receiver: str
    dice: Random
    seen: Counter[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fate = self.dice.choices(list(SHARES), list(SHARES.values()))[0]
        self.seen[fate] += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if fate == "forged":
            self._pass_on(body.replace(b'"version"', b'"versiom"'), "forged answered")
        if fate == "delayed":
            time.sleep(self.dice.uniform(1, 8))
        for _ in range({"dropped": 0, "forged": 0, "doubled": 2}.get(fate, 1)):
            self._pass_on(body, "answered")

    def _pass_on(self, body: bytes, what: str) -> None:
        kept = {k: v for k, v in self.headers.items() if k.lower().startswith("x-mlflow")}
        request = urllib.request.Request(self.receiver, body, {**kept, "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                self.seen[f"{what} {answer.status}"] += 1
        except urllib.error.HTTPError as error:
            self.seen[f"{what} {error.code}"] += 1
        except OSError:
            self.seen[f"{what} nothing"] += 1

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
