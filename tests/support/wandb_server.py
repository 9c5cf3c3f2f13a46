"""A stub of the server of Weights & Biases on 127.0.0.1: the operations by which its package reads, and the HTTP."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

from tests.support.wandb_backend import ORG_ENTITY, REGISTRY, TEAM, Collection, LoggingBackend, Stored, now

__all__ = ["ORG_ENTITY", "REGISTRY", "TEAM", "Backend", "serving"]

OPERATION = re.compile(r"(?:query|mutation)\s+(\w+)")


def project(entity: str, name: str) -> dict[str, Any]:
    return {
        "id": "UHJvamVjdDox",
        "internalId": "UHJvamVjdEludGVybmFsSWQ6MQ==",
        "name": name,
        "entity": {"name": entity},
    }


class Backend(LoggingBackend):
    """A server with accounts, runs, artifacts and the Registry."""

    def artifact(self, stored: Stored) -> dict[str, Any]:
        entity, name, collection = stored.path
        kind = {"__typename": "ArtifactSequence", "name": collection, "project": project(entity, name)}
        return {
            "__typename": "Artifact", "id": stored.id, "artifactSequence": kind, "versionIndex": stored.index,
            "artifactType": {"name": stored.type}, "description": stored.description, "metadata": stored.metadata,
            "ttlDurationSeconds": -1, "ttlIsInherited": False, "tags": [], "historyStep": None, "state": stored.state,
            "size": sum(map(len, self.files(stored.id).values())) if stored.state == "COMMITTED" else 0,
            "digest": stored.digest, "commitHash": "c", "fileCount": 1, "createdAt": stored.created,
            "updatedAt": stored.updated, "aliases": [],
        }  # fmt: skip

    def membership(self, collection: Collection, index: int) -> dict[str, Any]:
        entity, name, own = collection.path
        kind = "ArtifactPortfolio" if entity == ORG_ENTITY else "ArtifactSequence"
        names = sorted(alias for alias, where in collection.aliases.items() if where == index)
        return {
            "__typename": "ArtifactCollectionMembership", "id": f"M{index}", "versionIndex": index,
            "createdAt": collection.linked[index],
            "aliases": [{"__typename": "ArtifactAlias", "id": alias, "alias": alias} for alias in names],
            "artifactCollection": {"__typename": kind, "name": own, "project": project(entity, name)},
            "artifact": self.artifact(self.artifacts[collection.members[index]]),
        }  # fmt: skip

    def find(self, entity: str, project: str, name: str, alias: str) -> tuple[Collection, int] | None:
        collection = self.collections.get((entity, project, name))
        if collection is None:
            return None
        index = int(alias[1:]) if re.fullmatch(r"v\d+", alias) else collection.aliases.get(alias, -1)
        return (collection, index) if index in collection.members else None

    def ArtifactByID(self, id: str, **_: Any) -> Any:
        return {"artifact": self.artifact(self.artifacts[id])}

    def ArtifactMembershipByName(self, entity: str, project: str, name: str, **_: Any) -> Any:
        if not any(path[:2] == (entity, project) for path in self.collections):
            return {"project": None}
        collection, _, alias = name.partition(":")
        found = self.find(entity, project, collection, alias or "latest")
        return {"project": {"artifactCollectionMembership": self.membership(*found) if found else None}}

    def ArtifactCreatedBy(self, id: str) -> Any:
        stored = self.artifacts[id]
        run = {"__typename": "Run", "id": "r", "name": stored.run, "project": project(*stored.path[:2])}
        return {"artifact": {"createdBy": run if stored.run else None}}

    def FetchArtifactManifest(self, id: str) -> Any:
        return {"artifact": {"currentManifest": {"file": {"directUrl": f"{self.url}/manifest/{id}"}}}}

    def GetArtifactMembershipFileUrls(self, entity: str, project: str, collection: str, alias: str, **_: Any) -> Any:
        found = self.find(entity, project, collection, alias)
        assert found
        owner = found[0].members[found[1]]
        edges = [
            {"node": {"__typename": "File", "name": n, "directUrl": f"{self.url}/blob/{owner}/{quote(n, safe='')}"}}
            for n in self.files(owner)
        ]
        page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        membership = {"artifactMembership": {"files": {"pageInfo": page, "edges": edges}}}
        return {"project": {"artifactCollection": {"__typename": "ArtifactPortfolio", **membership}}}

    def ProjectArtifacts(self, entity: str, project: str, collection: str, perPage: int, **_: Any) -> Any:
        found = self.collections[entity, project, collection]
        edges = [{"version": f"v{i}", "node": self.artifact(self.artifacts[a])} for i, a in found.members.items()]
        page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        artifacts = {"artifacts": {"totalCount": len(edges), "pageInfo": page, "edges": edges}}
        collected = {"artifactCollection": {"__typename": "ArtifactSequence", **artifacts}}
        return {"project": {"artifactType": collected}}

    # --- the Registry ------------------------------------------------------------------------------------

    def FetchRegistry(self, name: str, entity: str) -> Any:
        registry = {
            "__typename": "Project", **project(entity, name), "description": None, "createdAt": now(),
            "updatedAt": None, "access": "PRIVATE", "allowAllArtifactTypes": True, "artifactTypes": {"edges": []},
        }  # fmt: skip
        registry["entity"] = {"name": entity, "organization": {"name": "Acme"}}
        return {"entity": {"project": registry if name == self.registry else None}}

    def RegistryVersions(
        self, organization: str, perPage: int, cursor: str | None = None, collectionFilter: str | None = None, **_: Any
    ) -> Any:
        wanted = json.loads(collectionFilter or "{}").get("name")
        found = [
            (collection, index)
            for collection in self.collections.values()
            if collection.path[:2] == (ORG_ENTITY, self.registry) and wanted in (None, collection.path[2])
            for index in collection.members
        ]
        start = int(cursor or 0)
        edges = [{"node": self.membership(*each)} for each in found[start : start + perPage]]
        more = start + perPage < len(found)
        page = {"__typename": "PageInfo", "endCursor": str(start + perPage), "hasNextPage": more}
        memberships = {"pageInfo": page, "edges": edges}
        return {"organization": {"orgEntity": {"name": ORG_ENTITY, "artifactMemberships": memberships}}}

    def LinkArtifact(self, input: dict[str, Any], **_: Any) -> Any:
        path = (input["entityName"], input["projectName"], input["artifactPortfolioName"])
        collection = self.collections.setdefault(path, Collection(path))
        index = collection.add(input["artifactID"], [alias["alias"] for alias in input["aliases"]])
        return {"result": {"versionIndex": index, "artifactMembership": self.membership(collection, index)}}

    def AddAliases(self, input: dict[str, Any]) -> Any:
        for alias in input["aliases"]:
            path = (alias["entityName"], alias["projectName"], alias["artifactCollectionName"])
            collection = self.collections[path]
            index = next(i for i, a in collection.members.items() if a == input["artifactID"])
            collection.aliases[alias["alias"]] = index
        return {"result": {"success": True}}

    def DeleteAliases(self, input: dict[str, Any]) -> Any:
        for alias in input["aliases"]:
            path = (alias["entityName"], alias["projectName"], alias["artifactCollectionName"])
            self.collections[path].aliases.pop(alias["alias"])
        return {"result": {"success": True}}

    def UpdateArtifact(self, input: dict[str, Any], **_: Any) -> Any:
        stored = self.artifacts[input["artifactID"]]
        stored.metadata, stored.description, stored.updated = input["metadata"], input["description"], now()
        return {"result": {"artifact": self.artifact(stored)}}


def handler(backend: Backend) -> type[BaseHTTPRequestHandler]:
    """Return the class that answers requests with a backend; an operation that it does not know is an error.

    HTTP/1.0: no connection is kept, neither by the package's service nor by its downloads.
    """

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            user = base64.b64decode((self.headers.get("authorization") or "").partition(" ")[2] or b"").decode()
            backend.keys.add(user.partition(":")[2])
            body = json.loads(self._body() or b"{}")
            if self.path != "/graphql":
                backend.stream(self.path.split("/")[4], body)
                self._answer(b"{}")
                return
            match = OPERATION.search(body["query"])
            name, variables = match[1] if match else "", body.get("variables") or {}
            backend.calls.append((name, variables))
            backend.answers.wait()
            if name in backend.refused:
                self._answer(json.dumps({"errors": [{"message": f"{name} is not permitted"}]}).encode())
                return
            self._answer(json.dumps({"data": getattr(backend, name)(**variables)}).encode())

        def do_PUT(self) -> None:
            backend.blobs[self.path] = self._body()
            self._answer(b"")

        def do_GET(self) -> None:
            backend.downloads.wait()
            self._answer(backend.blobs.get(self.path, b""), 200 if self.path in backend.blobs else 404)

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("content-length") or 0))

        def _answer(self, content: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # whoever asked has gone
                self.wfile.write(content)

    return Handler


@contextlib.contextmanager
def serving() -> Iterator[Backend]:
    """Serve until the block ends; yield the backend, with its address."""
    backend = Backend()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(backend)) as server:
        backend.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield backend
        finally:
            server.shutdown()
