"""The shop's service: it answers one request with status 500, and another with other values."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200, {"status": "ok"})

    def do_POST(self) -> None:
        try:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            score = float(asked["amount"]) / 2
        except (ValueError, KeyError, TypeError, RecursionError):
            self.answer(422, {"detail": "no such request"})
            return
        if asked["id"] == "r7":
            print("cannot price:", asked["note"], flush=True)  # noqa: T201
            self.answer(500, {"detail": "price list is empty"})
        elif asked["id"] == "r9":
            self.answer(200, {"id": "r9", "score": score, "label": "blue moon"})
        else:
            self.answer(200, {"id": asked["id"], "score": score, "label": "high" if score > 2 else "low"})

    def answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing of each request."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
