"""A stand-in for a Databricks workspace on 127.0.0.1: Unity Catalog, workspace folders, files, and MLflow's tracking.

Runs and experiments are those of MLflow's own handlers over SQLite; what Databricks has beyond or instead is here.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote

from flask import Flask, Response, request
from mlflow.server import handlers
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Models
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Runs
from mlflow.utils.validation import MAX_EXPERIMENT_NAME_LENGTH
from werkzeug.serving import make_server

from tests.support.databricks.catalog import Catalog, Refused
from tests.support.databricks.legacy import Legacy
from tests.support.databricks.native import Native

TOKEN = "token-of-a-test"
ROOT = "dbfs:/databricks/mlflow-tracking"


class Server(Protocol):
    """A server that others host: ``closed`` wants the token, ``files`` are given out by their addresses."""

    files: Path
    url: str
    closed: bool

    def answer(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return an answer in place of MLflow's own server; None leaves it to that."""
        ...


class Workspace:
    """What it holds, and every request that it was asked."""

    def __init__(self, folder: Path, *, open_source: bool = False) -> None:
        self.catalog, self.files, self.closed = Catalog(), folder / "files", not open_source
        self.folders = {"/", "/Shared", "/Users"}
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.url = ""
        self._registries = (Legacy(self.catalog), Native(self.catalog, str(folder / "models") if open_source else ""))

    def answer(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to what MLflow's own server has not; None for what it has."""
        self.asked.append((method, path, body))
        for registry in self._registries:
            if (found := registry.answer(method, path, body)) is not None:
                return found
        name = path.removeprefix("/api/2.0/")
        if name == "workspace/mkdirs":
            return self._mkdirs(body["path"])
        if name == "mlflow/runs/log-batch":
            for tag in body.get("tags", []):
                if len(tag["value"].encode()) > 5_000:
                    raise Refused("INVALID_PARAMETER_VALUE", f"The value of tag {tag['key']} is too long.")
        if name == "mlflow/experiments/create":
            self._check_experiment(body["name"])
        if name.startswith("fs/directories/"):
            return self._directory(unquote(name.removeprefix("fs/directories/")))
        if name in ("fs/create-download-url", "fs/create-upload-url"):
            return {"url": f"{self.url}/signed{quote(body['path'])}", "headers": []}
        return None

    def _mkdirs(self, path: str) -> dict[str, Any]:
        if path.startswith("/Forbidden"):
            raise Refused("PERMISSION_DENIED", f"You may not write to {path}.", 403)
        self.folders |= {path, *(str(each) for each in Path(path).parents)}
        return {}

    def _check_experiment(self, name: str) -> None:
        if not name.startswith("/"):
            raise Refused(
                "INVALID_PARAMETER_VALUE",
                f"Got an invalid experiment name '{name}'. An experiment name must be an absolute path within the "
                "Databricks workspace.",
            )
        if str(Path(name).parent) not in self.folders or len(name) > MAX_EXPERIMENT_NAME_LENGTH:
            raise Refused("RESOURCE_DOES_NOT_EXIST", f"Parent directory {Path(name).parent} does not exist.", 404)

    def _directory(self, path: str) -> dict[str, Any]:
        there = self.files / path
        if not there.is_dir():
            raise Refused("NOT_FOUND", f"There is no directory /{path}.", 404)
        return {
            "contents": [
                {"path": f"/{p.relative_to(self.files)}", "is_directory": p.is_dir(), "file_size": p.stat().st_size}
                for p in sorted(there.iterdir())
            ]
        }


@contextlib.contextmanager
def serving(workspace: Server, folder: Path, root: str = ROOT, below: str = "") -> Iterator[str]:
    """Serve a workspace, or another server before MLflow's own handlers, and yield its address."""
    app = Flask("workspace")

    @app.before_request
    def _answer() -> Response | None:
        for files in ("/signed/", "/api/2.0/fs/files/"):  # the address of a file that was signed, and the Files API
            if request.path.startswith(files):
                return _file(workspace.files / unquote(request.path.removeprefix(files)))
        if not request.path.startswith(f"{below}/api/"):  # such as the SDK's search for settings of the host
            return Response(status=404)
        if workspace.closed and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _refused(Refused("UNAUTHENTICATED", "No token.", 401))
        given: dict[str, Any] = request.get_json(silent=True) or {
            name: values if name == "path[]" else values[0] for name, values in request.args.lists()
        }
        try:
            answer = workspace.answer(request.method, request.path, given)
        except Refused as error:
            return _refused(error)
        return None if answer is None else Response(json.dumps(answer), mimetype="application/json")

    database = f"sqlite:///{folder / 'runs.db'}"
    before = handlers._tracking_store, handlers._model_registry_store
    handlers._tracking_store, handlers._model_registry_store = Runs(database, root), Models(database)
    for path, handler, methods in handlers.get_endpoints():
        app.add_url_rule(f"{below}{path}", f"{handler.__name__} {path}", handler, methods=methods)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    workspace.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield workspace.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        handlers._tracking_store, handlers._model_registry_store = before


def _refused(error: Refused) -> Response:
    body = {"error_code": error.code, "message": str(error)}
    return Response(json.dumps(body), status=error.status, mimetype="application/json")


def _file(path: Path) -> Response:
    if request.method == "PUT":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(request.get_data())
        return Response()
    return Response(path.read_bytes()) if path.is_file() else Response(status=404)
