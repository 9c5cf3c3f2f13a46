"""The target is registered and keeps its protocol, at a server of the standard library."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest
from seatrial_jsonrpc import JsonRpc

from seatrial.errors import AnswerError
from seatrial.targets import connect
from seatrial.testing import registered, sample_requests, target_conforms


class Doubling(BaseHTTPRequestHandler):
    """Answers the amount doubled; refuses what is no call."""

    def do_POST(self) -> None:
        try:
            call = json.loads(self.rfile.read(int(self.headers["content-length"])))
            params = call["params"]
            status, body = 200, {"result": {"id": params["id"], "double": params["amount"] * 2}}
        except (ValueError, KeyError, TypeError):
            status, body = 400, {"error": {"code": -32600, "message": "Invalid request"}}
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Doubling)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"jsonrpc+http://127.0.0.1:{server.server_port}/rpc"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_registered() -> None:
    registered("targets", "jsonrpc+http", JsonRpc)


def test_it_conforms(url: str) -> None:
    target_conforms(url, sample_requests(8), key="id", nobody="jsonrpc+http://127.0.0.1:9/rpc")


def test_an_answer_without_a_result_is_an_error(url: str) -> None:
    with connect(url, key="id") as target, pytest.raises(AnswerError, match="answered 400"):
        target.step(pd.DataFrame({"id": ["a"]}))
