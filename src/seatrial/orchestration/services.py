"""The servers of one machine: command, address and environment of each. Starts nothing."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from seatrial.errors import UsageError
from seatrial.io.files import write_once
from seatrial.orchestration.deployments.worker import worker_command
from seatrial.orchestration.prefect_api import PROJECT
from seatrial.orchestration.runner import SERVER
from seatrial.process.running import Running
from seatrial.project import MLFLOW_STORE, QUIET, Project
from seatrial.promotion.triggers.webhook import PORT

POLL_SECONDS = 2  # of the worker: a run starts soon after its webhook
HEARTBEAT_SECONDS = 30
PORTS = {"mlflow": 5000, "prefect": 4200, "receiver": PORT}
TITLES = {"mlflow": "MLflow", "prefect": "Prefect", "receiver": "webhook receiver", "worker": "worker"}
LOGGED = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO"}  # quiet in a terminal, complete in a log
FOREIGN = (  # of other servers than those started here
    "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID", "PREFECT_API_URL",
    "PREFECT_API_KEY", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH", "_MLFLOW_SERVER_ARTIFACT_ROOT",
)  # fmt: skip


@dataclass
class Servers:
    """The running servers, in the order they were started."""

    project: Project
    ports: Mapping[str, int]
    running: dict[str, Running] = field(default_factory=dict)

    @property
    def mlflow(self) -> str:
        """MLflow's address."""
        return f"http://127.0.0.1:{self.ports['mlflow']}"

    @property
    def prefect(self) -> str:
        """The address of Prefect's pages; its API is below ``/api``."""
        return f"http://127.0.0.1:{self.ports['prefect']}"

    @property
    def receiver(self) -> str:
        """The receiver's address."""
        return f"http://127.0.0.1:{self.ports['receiver']}"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of the clients of both servers."""
        return self.plain | {"MLFLOW_TRACKING_URI": self.mlflow, "PREFECT_API_URL": f"{self.prefect}/api"}

    @property
    def plain(self) -> dict[str, str]:
        """The environment of the servers themselves, which must not be pointed at themselves."""
        quiet = {name: value for name, value in (QUIET | LOGGED).items() if name not in os.environ}
        own = {"PREFECT_HOME": str(self.project.state / "prefect"), PROJECT: str(self.project.root)}
        given = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        return {**given, **quiet, **own, "PYTHONUNBUFFERED": "1"}


def _mlflow(servers: Servers) -> list[str]:
    uri, artifacts = servers.project.model_store()
    if artifacts is None:  # another server's, or a folder's: this one keeps its own
        uri, artifacts = f"sqlite:///{servers.project.state / MLFLOW_STORE}", servers.project.state / "artifacts"
    return [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(servers.ports["mlflow"]),
        "--workers", "1", "--backend-store-uri", uri,
        "--artifacts-destination", str(artifacts),
    ]  # fmt: skip


def _mlflow_environ(servers: Servers) -> dict[str, str]:
    key = servers.project.state / "keys" / "mlflow.fernet"
    if not key.exists():
        from cryptography.fernet import Fernet

        write_once(key, Fernet.generate_key())
    secret = os.environ.get("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY") or key.read_text(encoding="utf-8")
    return servers.plain | {
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": secret,  # without it a restart loses the webhook
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",  # the receiver is on this machine
        "MLFLOW_WEBHOOK_CACHE_TTL": "1",  # or the first version after the start may be missed
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _prefect_environ(servers: Servers) -> dict[str, str]:
    origins = f"{servers.prefect},http://localhost:{servers.ports['prefect']}"
    return servers.plain | {
        "PREFECT_UI_API_URL": f"{servers.prefect}/api",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origins,  # or any page in the browser could start runs
    }


def _receiver(servers: Servers) -> list[str]:
    here = ["--project", str(servers.project.root), "--port", str(servers.ports["receiver"])]
    return [sys.executable, "-m", "seatrial", "webhook", *here]


def _worker_environ(servers: Servers) -> dict[str, str]:
    return servers.environ | {
        "PREFECT_WORKER_QUERY_SECONDS": str(POLL_SECONDS),
        "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
    }


def port_for(name: str, given: int | None) -> int:
    """Return the port to use: the one given, else the default one, else a free one.

    Raises:
        UsageError: the given port is in use.
    """
    if given is not None and not _free(given):
        raise UsageError(
            f"Port {given} for {TITLES[name]} is in use. Name another port, or omit the option to use a free one."
        )
    if given is not None:
        return given
    if _free(PORTS[name]):
        return PORTS[name]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def command_of(servers: Servers, name: str) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment of a server."""
    if name == "mlflow":
        return _mlflow(servers), _mlflow_environ(servers)
    if name == "prefect":
        return [*SERVER, str(servers.ports["prefect"])], _prefect_environ(servers)
    if name == "receiver":
        return _receiver(servers), servers.environ
    return worker_command(servers.project), _worker_environ(servers)
