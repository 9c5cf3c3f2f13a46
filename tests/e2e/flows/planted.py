"""A project with a credential of its own in each address and variable, whose servers take these and answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.e2e.flows.team import Team
from tests.e2e.trials import chaos
from tests.support import s3_store
from tests.support.canaries import ADDRESSES, VALUES, address, password
from tests.support.doorman import before, with_passwords
from tests.support.serving import in_thread

BUCKET = "models"
FILES = {
    "pyproject.toml": """
[tool.seatrial]
pipeline = "pipeline.py:pipeline"
models = ["planted"]
environment = ["STORE_URL"]
""",
    "expectations/service.toml": '[promotion]\nalias = "champion"\n\n[contract]\ngenerated_requests = 5\n',
    "pipeline.py": """
import json
import os
from pathlib import Path

from seatrial import Dependency, Pipeline, Service

STORE = os.environ["STORE_URL"]


class Store:
    def __init__(self, url):
        self.url = url

    def rates(self, ids):
        return dict.fromkeys(ids, 2.0)


def read(frame):
    return frame.assign(x=frame["x"].astype("float64"))


def score(frame, model, store):
    rates = frame["id"].map(store.rates(list(frame["id"])))
    if model != 2.0:
        raise ValueError(f"{STORE} has no rates of this model")
    return frame[["id"]].assign(y=frame["x"] * rates)


def load(path):
    return json.loads((Path(path) / "weight.json").read_text())


pipeline = Pipeline(
    "planted", key="id", raw=read, score=score, model=load, dependencies=[Dependency("store", STORE, Store)],
    service=Service(
        url="http://127.0.0.1:PORT", predict="/score", openapi=None, headers={"x-key": "{env:STAGING_KEY}"}
    ),
)
""",
}
REGISTER = f"""
import pandas as pd
from seatrial import capture
from seatrial.project import Project
from seatrial.registry.mlflow.client import client
from tests.e2e.trials import chaos

project = Project.find(".")
project.activate()
rows = pd.DataFrame({{"id": [f"r{{n}}" for n in range(20)], "x": [n + 0.5 for n in range(20)]}})
capture(project.pipeline(), rows, model=2.0).save(project.root / "reference")
client().create_experiment("seatrial/planted", artifact_location="s3://{BUCKET}/verdicts")
training = client().create_experiment("training", artifact_location="s3://{BUCKET}/training")
for good in (True, False):
    chaos.register(project, good=good, name="planted", experiment=training)
"""


@dataclass(frozen=True)
class World:
    """A project and its surroundings.

    Attributes:
        root: of the project, with all that its processes write.
        environ: with every canary.
        team: whose servers it uses.
        objects: of the object store, by key.
    """

    root: Path
    environ: dict[str, str]
    team: Team
    objects: dict[str, bytes]

    def run(self, *command: str) -> bytes:
        """Return all that a process of this interpreter printed."""
        done = subprocess.run(
            [sys.executable, *command], cwd=self.root, env=self.environ, capture_output=True, timeout=600, check=False
        )
        return done.stdout + done.stderr

    def rows(self) -> bytes:
        """Return every row of the ledger's tables, as PostgreSQL writes it."""
        with psycopg.connect(self.environ["SEATRIAL_LEDGER_URL"].replace("+psycopg", "")) as ledger:
            tables = ledger.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            found = [row for (name,) in tables for row in ledger.execute(f'SELECT t::text FROM "{name}" t').fetchall()]
        return "\n".join(row[0] for row in found).encode()

    def shown(self) -> dict[str, bytes]:
        """Return what Prefect's API tells anybody."""
        kinds = (
            "artifacts", "automations", "block_documents", "deployments", "events", "flow_runs", "logs", "task_runs",
            "variables", "work_pools",
        )  # fmt: skip
        return {kind: json.dumps(self.team.api("POST", f"/{kind}/filter", json={})).encode() for kind in kinds}


class Service(BaseHTTPRequestHandler):
    """Answers who shows the key, and repeats it: in a header, and in the words with which it refuses."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(200, {"status": "ok"})

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["content-length"]))
        key = self.headers.get("x-key", "")
        if key != VALUES["STAGING_KEY"]:
            return self._say(401, {"detail": f"unknown key {key}"})
        if self.headers.get_content_type() != "application/json":
            return self._say(415, {"detail": f"not JSON, of {key}"})
        try:
            record = json.loads(asked, parse_constant=_refuse)
            known = type(record["id"]) is str and type(record["x"]) in (int, float) and isfinite(record["x"])
        except (ValueError, TypeError, KeyError, RecursionError):
            known = False
        if not known:
            return self._say(422, {"detail": f"no such request of {key}"})
        return self._say(200, {"id": record["id"], "y": record["x"] * 2})

    def _say(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-seen-key", self.headers.get("x-key", ""))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def _refuse(name: str) -> None:
    raise ValueError(name)


def _environ(team: Team, root: Path, mlflow: int, prefect: int, store: str) -> dict[str, str]:
    """Return the variables of the project's processes: where something answers, and every canary."""
    ledger, there = password("SEATRIAL_LEDGER_URL"), urlsplit(team.ledger).netloc.rpartition("@")[2]
    answering = {
        "MLFLOW_TRACKING_URI": address("MLFLOW_TRACKING_URI", "http", f"127.0.0.1:{mlflow}", query=False),
        "MLFLOW_REGISTRY_URI": address("MLFLOW_REGISTRY_URI", "http", f"127.0.0.1:{mlflow}", query=False),
        "PREFECT_API_URL": address("PREFECT_API_URL", "http", f"127.0.0.1:{prefect}", "/api", query=False),
        "SEATRIAL_LEDGER_URL": f"postgresql+psycopg://seatrial:{ledger}@{there}/planted",
    }
    away = {name: address(name, "http", "127.0.0.1:9", "/base") for name in ADDRESSES if name not in answering}
    own = {
        "PREFECT_HOME": str(root / ".prefect"), "TMPDIR": str(root / ".tmp"), "PYTHONPATH": str(chaos.ROOT),
        "MLFLOW_S3_ENDPOINT_URL": store, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        "SEATRIAL_SIGNING_KEY": team.environ["SEATRIAL_SIGNING_KEY"], "COLUMNS": "200",
    }  # fmt: skip
    return {**team.plain, **VALUES, **away, **answering, **own}


@contextmanager
def world(team: Team, root: Path) -> Iterator[World]:
    """Run what the project needs besides a team's servers for the length of a block; two versions are registered."""
    models, runs = (urlsplit(url).port or 0 for url in (team.environ["MLFLOW_TRACKING_URI"], team.behind))
    of_models = with_passwords(*map(password, ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")))
    of_runs = with_passwords(password("PREFECT_API_URL"))
    with psycopg.connect(team.ledger.replace("+psycopg", ""), autocommit=True) as database:
        database.execute("CREATE DATABASE planted")
    service = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    with (
        before(models, of_models) as mlflow, before(runs, of_runs) as prefect,
        s3_store.serving(BUCKET) as (store, objects), in_thread(service),
    ):  # fmt: skip
        (root / ".tmp").mkdir(parents=True)
        for name, text in FILES.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text.replace("PORT", str(service.server_port)), encoding="utf-8")
        made = World(root, _environ(team, root, mlflow, prefect, store), team, objects)
        said = made.run("-c", REGISTER)
        assert len([key for key in objects if key.endswith("weight.json")]) == 2, said.decode()
        yield made
