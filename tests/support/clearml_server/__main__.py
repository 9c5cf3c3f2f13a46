"""Serve until the input ends: print the port, answer the API and the files, and show everything at ``/state``."""

from __future__ import annotations

import email
import email.policy
import json
import re
import sys
import threading
import time
import uuid
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import jsonschema
import jwt

from tests.support.clearml_server.store import Refused, Store

VERSION = "2.23"
KEYS = "Basic a2V5OnNlY3JldA=="  # key:secret
TOKEN = jwt.encode(
    {"api_version": VERSION, "server_version": "2.0.0", "feature_set": "basic", "exp": int(time.time()) + 86_400},
    "a key of the stand-in that nobody checks, of 32 bytes",
)


@cache
def rule(kind: Any) -> Any:
    """Return the validator of a request's or response's class: that of its own schema, made once."""
    return jsonschema.validators.validator_for(kind._schema)(kind._schema)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    store = Store()
    files: ClassVar[dict[str, bytes]] = {}
    refused: ClassVar[list[str]] = []
    down: ClassVar[list[str]] = []
    lock = threading.Lock()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == "/state":
            held = {name: value for name, value in vars(self.store).items() if name != "events"}
            held |= {"events": list(self.store.events.values()), "refused": self.refused, "files": sorted(self.files)}
            self._send(200, json.dumps(held).encode())
        elif match := re.fullmatch(r"/(?:v(?P<version>[\d.]+)/)?(?P<service>\w+)\.(?P<action>\w+)", path):
            self._api(**match.groupdict())
        elif path in self.files and self.headers["Authorization"] == f"Bearer {TOKEN}":
            self._send(200, self.files[path], "application/octet-stream")
        else:
            self._send(404, b"{}")

    def do_HEAD(self) -> None:
        self._send(200 if unquote(urlsplit(self.path).path) in self.files else 404, b"")

    def do_POST(self) -> None:
        if self.path == "/down":  # what follows is refused, as by a server in maintenance
            self.down[:] = json.loads(self._body() or b"")
            self._send(200, b"{}")
        elif self.headers.get("Content-Type", "").startswith("multipart/form-data"):
            self._upload()
        else:
            self.do_GET()

    def _upload(self) -> None:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        for part in email.message_from_bytes(head + (self._body() or b""), policy=email.policy.HTTP).iter_parts():
            name = str(part.get_param("name", header="content-disposition"))
            self.files[f"/{name.lstrip('/')}"] = part.get_payload(decode=True)
        self._send(200, b"[]")

    def _api(self, version: str | None, service: str, action: str) -> None:
        if (body := self._body()) is None:
            return  # whoever sent it has ended
        batch = self.headers.get("Content-Type") == "application/json-lines"
        if (service, action) == ("auth", "login"):
            known = self.headers.get("Authorization") == KEYS
            self._reply(
                service, action, {"token": TOKEN}, *([] if known else [401, "Unauthorized (invalid credentials)"])
            )
            return
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._reply(service, action, {}, 401, "Unauthorized")
            return
        if f"{service}.{action}" in self.down:
            self._reply(service, action, {}, 400, "Not now")
            return
        sent = [json.loads(line) for line in body.splitlines()] if batch else json.loads(body or b"{}")
        try:
            module = import_module(f"clearml.backend_api.services.v{(version or VERSION).replace('.', '_')}.{service}")
            request = next(cls for cls in module.response_mapping if cls._action == action)
            if not batch:
                sent.pop("method", None)  # the package sends it with some requests
                rule(request).validate(request(**sent, _allow_extra_fields_=True).to_dict())
            with self.lock:
                answer = self.store.action(service, action)(sent)
            rule(module.response_mapping[request]).validate(answer)
        except Exception as error:  # noqa: BLE001  told to the test
            self.refused.append(f"{service}.{action}: {type(error).__name__}: {error}")
            self._reply(service, action, {}, 400 if isinstance(error, Refused) else 500, str(error)[:500])
            return
        self._reply(service, action, answer)

    def _reply(self, service: str, action: str, data: Any, code: int = 200, said: str = "OK") -> None:
        names = {"name": f"{service}.{action}", "requested_version": VERSION, "actual_version": VERSION}
        meta = {"id": uuid.uuid4().hex, "trx": uuid.uuid4().hex, "endpoint": names, "result_code": code,
                "result_subcode": 0, "result_msg": said, "error_stack": ""}  # fmt: skip
        self._send(code, json.dumps({"meta": meta, "data": data}).encode())

    def _body(self) -> bytes | None:
        """Return the body; None where it did not come whole. The package sends none in chunks."""
        length = int(self.headers.get("Content-Length") or 0)
        return body if len(body := self.rfile.read(length)) == length else None

    def _send(self, status: int, content: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)  # noqa: T201
    sys.stdin.read()
