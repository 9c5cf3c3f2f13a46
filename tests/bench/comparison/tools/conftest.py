import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def running(store_url):
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "service:app", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, env=os.environ | {"MODEL_PATH": ".", "STORE_URL": store_url}) as server:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client:
                for _ in range(600):
                    with contextlib.suppress(httpx.TransportError):
                        client.get("/health")
                        break
                    time.sleep(0.1)
                yield client
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def golden():
    read = (Path("recorded", f"reference_{name}.jsonl").read_text().splitlines() for name in ("requests", "answers"))
    return [(json.loads(request), json.loads(answer)) for request, answer in zip(*read, strict=True)]


@pytest.fixture(scope="session")
def service():
    with running(os.environ["STORE_URL"]) as client:
        yield client
