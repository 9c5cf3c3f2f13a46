"""Kubeflow Model Registry on 127.0.0.1, made of the classes that its client generates from its OpenAPI.

It does what the server's source does where that matters: a name is looked up as a pattern of SQL, a PATCH replaces all
custom properties or none, ids of models and versions come from one counter, lists come in pages, and times are
milliseconds as text.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import mr_openapi as api

ROOT = "/api/model_registry/v1"
MOST = 2  # of a page, so that two pages are soon needed
UPDATES: dict[str, Any] = {"registered_models": api.RegisteredModelUpdate, "model_versions": api.ModelVersionUpdate}


@dataclass
class Stub:
    """The server's memory: entities as JSON. The first of ``race`` is called after the next change of an entity."""

    token: str = ""
    root: str = ROOT
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    artifacts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    race: list[Callable[[], object]] = field(default_factory=list)
    status: int = 0
    url: str = ""
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _clock: Iterator[int] = field(default_factory=lambda: itertools.count(int(time.time() * 1000)))

    def answer(self, method: str, path: str, asked: dict[str, str], body: str) -> dict[str, Any] | int:
        """Return what the API answers; a number where it is an error."""
        if path == "/registered_model":
            return self._named(self.models, asked["name"])
        if path == "/model_version":
            return self._named(self._of(asked["parentResourceId"]), asked["name"])
        if path == "/registered_models":
            if method == "POST":
                return self._create(api.RegisteredModelCreate, self.models, body)
            return self._page(list(self.models.values()), asked)
        if path == "/model_versions":
            if method == "POST":
                return self._create(api.ModelVersionCreate, self.versions, body)
            return self._page(list(self.versions.values()), asked)
        kind, identity, *part = path.strip("/").split("/")
        held = {"registered_models": self.models, "model_versions": self.versions}[kind]
        if identity not in held:
            return 404
        if part == ["versions"]:
            return self._page(list(self._of(identity).values()), asked)
        if part == ["artifacts"]:
            if method == "POST":
                return self.attach(identity, body)
            return self._page(self.artifacts.get(identity, []), asked)
        if method == "PATCH":
            return self._update(held[identity], UPDATES[kind].from_json(body).to_dict())
        return held[identity]

    def attach(self, version: str, body: str) -> dict[str, Any]:
        """Attach an artifact to a version, the newest of its artifacts."""
        made = api.Artifact.from_json(body).to_dict() | self._stamped()
        self.artifacts.setdefault(version, []).append(made)
        return made

    def _create(self, kind: Any, held: dict[str, dict[str, Any]], body: str) -> dict[str, Any]:
        made = kind.from_json(body).to_dict() | self._stamped()
        held[made["id"]] = made
        return made

    def _stamped(self) -> dict[str, str]:
        now = str(next(self._clock))
        return {"id": str(next(self._ids)), "createTimeSinceEpoch": now, "lastUpdateTimeSinceEpoch": now}

    def _update(self, entity: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
        entity |= change | {"lastUpdateTimeSinceEpoch": str(next(self._clock))}
        answer = dict(entity)
        if self.race:
            self.race.pop(0)()
        return answer

    def _of(self, model: str) -> dict[str, dict[str, Any]]:
        return {k: v for k, v in self.versions.items() if v["registeredModelId"] == model}

    def _named(self, held: dict[str, dict[str, Any]], name: str) -> dict[str, Any] | int:
        pattern = re.escape(name).replace("%", ".*").replace("_", ".")
        found = [each for each in held.values() if re.fullmatch(pattern, each["name"], re.IGNORECASE)]
        return found[0] if len(found) == 1 else 404

    def _page(self, items: list[dict[str, Any]], asked: dict[str, str]) -> dict[str, Any]:
        start, size = int(asked.get("nextPageToken") or 0), min(MOST, int(asked.get("pageSize") or MOST))
        page = items[start : start + size]
        token = str(start + size) if start + size < len(items) else ""
        return {"items": page, "pageSize": size, "size": len(page), "nextPageToken": token}


@contextmanager
def serving(**settings: Any) -> Iterator[Stub]:
    """Serve a registry until the block ends."""
    stub, lock = Stub(**settings), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            parts = urlsplit(self.path)
            if not parts.path.startswith(stub.root):
                return self._send(404, "404 page not found\n", "text/plain; charset=utf-8")
            if stub.status or (stub.token and self.headers.get("Authorization") != f"Bearer {stub.token}"):
                return self._fail(stub.status or 401)
            asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            with lock:
                stub.requests.append(f"{self.command} {parts.path.removeprefix(stub.root)}")
                found = stub.answer(self.command, parts.path.removeprefix(stub.root), asked, body)
            if isinstance(found, int):
                return self._fail(found)
            return self._send(201 if self.command == "POST" else 200, json.dumps(found))

        def _fail(self, status: int) -> None:
            self._send(status, api.Error(code=str(status), message=f"no: {status}").to_json())

        def _send(self, status: int, text: str, kind: str = "application/json; charset=UTF-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PATCH = _serve

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
