"""What a stub of the server of Weights & Biases stores, and the operations by which its package logs runs.

The package itself sends these operations, and reads every answer into the classes that it generated from the server's
schema. What the stub knows of a real server comes from those.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

TEAM, ORGANIZATION, ORG_ENTITY, REGISTRY = "team", "Acme", "acme-org", "wandb-registry-model"
FEATURES = (
    "ARTIFACT_REGISTRY_SEARCH", "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE", "ARTIFACT_TAGS", "CLIENT_IDS",
    "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP", "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
)  # fmt: skip


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Stored:
    """An artifact version, in the sequence of its project."""

    id: str
    path: tuple[str, str, str]
    type: str
    digest: str
    metadata: str
    run: str
    aliases: list[str]
    index: int = 0
    description: str = ""
    state: str = "PENDING"
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)


@dataclass
class Collection:
    """A sequence, or a collection of the Registry: its versions by index, and its aliases."""

    path: tuple[str, str, str]
    members: dict[int, str] = field(default_factory=dict)
    linked: dict[int, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)

    def add(self, artifact: str, aliases: list[str]) -> int:
        index = next((i for i, a in self.members.items() if a == artifact), len(self.members))
        self.members[index] = artifact
        self.linked.setdefault(index, now())
        self.aliases |= dict.fromkeys([*aliases, "latest"], index)
        return index


class LoggingBackend:
    """The state of the server, and one method for each GraphQL operation."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.keys: set[str] = set()
        self.runs: dict[str, dict[str, Any]] = {}
        self.streams: list[dict[str, Any]] = []
        self.blobs: dict[str, bytes] = {}
        self.artifacts: dict[str, Stored] = {}
        self.collections: dict[tuple[str, str, str], Collection] = {}
        self.read_only = False
        self.registry = REGISTRY
        self.refused: set[str] = set()
        self.answers = threading.Event()  # cleared: it takes a request and never answers
        self.answers.set()
        self.downloads = threading.Event()  # the same of downloads
        self.downloads.set()

    def add(self, path: tuple[str, str, str], kind: str, files: dict[str, bytes], run: str = "") -> str:
        """Store an artifact as a finished run would; return its id."""
        contents = {}
        for name, content in files.items():
            digest = base64.b64encode(hashlib.md5(content).digest()).decode()
            contents[name] = {"digest": digest, "size": len(content), "birthArtifactID": "x"}
        made = self._artifact(path, kind, digest=str(hash(str(contents))), metadata="{}", run=run, aliases=[])
        manifest = {"version": 1, "storagePolicy": "wandb-storage-policy-v1", "contents": contents}
        manifest["storagePolicyConfig"] = {"storageLayout": "V2"}
        self.blobs |= {f"/blob/{made.id}/{quote(name, safe='')}": content for name, content in files.items()}
        self.blobs[f"/manifest/{made.id}"] = json.dumps(manifest).encode()
        self.CommitArtifact(made.id)
        return made.id

    def link(self, artifact: str, collection: str, aliases: list[str] | None = None) -> int:
        """Link an artifact to a collection of the Registry; return the version's index."""
        path = (ORG_ENTITY, REGISTRY, collection)
        return self.collections.setdefault(path, Collection(path)).add(artifact, aliases or [])

    def files(self, artifact: str) -> dict[str, bytes]:
        """Return the files of an artifact; of one that refers to elsewhere, the address."""
        contents = json.loads(self.blobs[f"/manifest/{artifact}"])["contents"]
        return {
            name: entry["ref"].encode() if "ref" in entry else self.blobs[f"/blob/{artifact}/{quote(name, safe='')}"]
            for name, entry in contents.items()
        }

    def named(self, project: str, name: str, alias: str, entity: str = TEAM) -> Stored:
        """Return an artifact by its alias."""
        collection = self.collections[entity, project, name]
        return self.artifacts[collection.members[collection.aliases[alias]]]

    def _artifact(self, path: tuple[str, str, str], kind: str, **about: Any) -> Stored:
        stored = Stored(f"QXJ0aWZhY3Q6{len(self.artifacts)}", path, kind, **about)
        self.artifacts[stored.id] = stored
        return stored

    # --- accounts and features ---------------------------------------------------------------------------

    def Viewer(self) -> Any:
        viewer = {"id": "u", "entity": TEAM, "username": "ann", "email": "", "flags": "{}", "teams": {"edges": []}}
        return {"viewer": viewer}

    GetDefaultEntity = Viewer

    def ServerFeaturesQuery(self) -> Any:
        return {"serverInfo": {"features": [{"name": name, "isEnabled": True} for name in FEATURES]}}

    def FetchOrgInfoFromEntity(self, entity: str) -> Any:
        return {"entity": {"organization": {"name": ORGANIZATION, "orgEntity": {"name": ORG_ENTITY}}, "user": None}}

    def FetchOrganization(self, org: str) -> Any:
        entity = {"__typename": "Entity", "id": "RW50aXR5OjE=", "name": ORG_ENTITY, "entityType": "organization"}
        return {"organization": {"id": "T3JnOjE=", "name": org, "orgEntity": entity}}

    def IsProjectReadOnly(self, entity: str, project: str) -> Any:
        return {"project": {"readOnly": self.read_only}}

    # --- runs --------------------------------------------------------------------------------------------

    def RunResumeStatus(self, project: str, name: str, entity: str | None = None) -> Any:
        bucket = None
        if run := self.runs.get(name):
            bucket = {
                "id": "b", "name": name, "summaryMetrics": run.get("summary", "{}"), "displayName": run["displayName"],
                "logLineCount": 0, "historyLineCount": 1, "eventsLineCount": 0, "historyTail": '["{\\"_step\\":0}"]',
                "eventsTail": "[]", "config": run["config"], "tags": run["tags"], "wandbConfig": "{}",
            }  # fmt: skip
        return {"model": {"id": "p", "name": project, "entity": {"id": "e", "name": TEAM}, "bucket": bucket}}

    def UpsertBucket(self, name: str, project: str, entity: str | None = None, **given: Any) -> Any:
        run = self.runs.setdefault(name, {"project": project, "tags": [], "config": "{}", "displayName": name})
        run |= {key: value for key, value in given.items() if value is not None}
        owner = {"id": "p", "name": project, "entity": {"id": "e", "name": entity or TEAM}}
        bucket = {"id": "b", "name": name, "displayName": run["displayName"], "description": None, "sweepName": None}
        bucket |= {"config": run["config"], "project": owner, "historyLineCount": 0}
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def Run(self, project: str, entity: str, name: str) -> Any:
        run = self.runs.get(name)
        found = run and {
            "projectId": 1, "id": "b", "tags": run["tags"], "name": name, "displayName": run["displayName"],
            "sweepName": None, "state": run.get("state", "running"), "config": run["config"], "group": None,
            "jobType": None, "commit": None, "readOnly": False, "createdAt": now(), "heartbeatAt": now(),
            "description": None, "notes": None, "systemMetrics": "{}", "summaryMetrics": run.get("summary", "{}"),
            "historyLineCount": 1, "user": {"name": "ann", "username": "ann"}, "historyKeys": None,
        }  # fmt: skip
        return {"project": {"run": found}}

    def CreateRunFiles(self, run: str, files: list[str], **_: Any) -> Any:
        made = [{"name": name, "uploadUrl": f"{self.url}/file/{run}/{quote(name, safe='')}"} for name in files]
        return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": made}}

    def stream(self, run: str, sent: dict[str, Any]) -> None:
        """Take what a file stream says of a run."""
        self.streams.append(sent)
        about = self.runs[run]
        for line in sent.get("files", {}).get("wandb-summary.json", {}).get("content", []):
            about["summary"] = line
        if sent.get("complete"):
            about["exit_code"] = sent["exitcode"]
            about["state"] = "finished" if sent["exitcode"] == 0 else "failed"

    # --- artifacts that are logged -----------------------------------------------------------------------

    def ArtifactType(self, entity: str, project: str, name: str) -> Any:
        return {"project": {"artifact": None}}

    def CreateArtifact(self, input: dict[str, Any]) -> Any:
        path = (input["entityName"] or TEAM, input["projectName"], input["artifactCollectionName"])
        aliases = [alias["alias"] for alias in input["aliases"]]
        given = {"digest": input["digest"], "metadata": input["metadata"] or "{}", "run": input["runName"] or ""}
        same = [a for a in self.artifacts.values() if a.path == path and a.digest == given["digest"]]
        made = same[0] if same else self._artifact(path, input["artifactTypeName"], aliases=aliases, **given)
        made.aliases = [*dict.fromkeys([*made.aliases, *aliases])]  # one version, whoever logs the same files
        if made.state == "COMMITTED":
            self.collections[path].add(made.id, aliases)
        sequence = {"id": "s", "latestArtifact": None}
        return {"createArtifact": {"artifact": {"id": made.id, "state": made.state, "artifactSequence": sequence}}}

    def CreateArtifactManifest(self, artifactID: str, name: str, **_: Any) -> Any:
        file = {"id": "f", "name": name, "displayName": name, "uploadUrl": f"{self.url}/manifest/{artifactID}"}
        made = {"id": f"M{artifactID}", "file": file | {"uploadHeaders": []}}
        return {"createArtifactManifest": {"artifactManifest": made}}

    def CreateArtifactFiles(self, input: dict[str, Any]) -> Any:
        edges = []
        for wanted in input["artifactFiles"]:
            name, owner = wanted["name"], wanted["artifactID"]
            node = {"id": "f", "name": name, "displayName": name, "uploadHeaders": [], "artifact": {"id": owner}}
            node |= {"uploadUrl": f"{self.url}/blob/{owner}/{quote(name, safe='')}", "storagePath": ""}
            edges.append({"node": node | {"uploadMultipartUrls": None}})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def CommitArtifact(self, artifactID: str) -> Any:
        stored = self.artifacts[artifactID]
        stored.state = "COMMITTED"
        stored.index = self.collections.setdefault(stored.path, Collection(stored.path)).add(stored.id, stored.aliases)
        return {"commitArtifact": {"artifact": {"id": stored.id, "digest": stored.digest}}}
