"""How fast the webhook's receiver answers: deliveries beside its plain health page, on the same machine and run.

``python tests/bench/bench_webhook.py``. The promise is an answer within 100 ms; most of one is the connection.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx

from seatrial.process.running import free_port
from seatrial.promotion.triggers.mlflow import ID, SIGNATURE, TIMESTAMP, sign

SECRET = b"a secret for the benchmark"
DELIVERIES = 200


def delivery() -> tuple[bytes, dict[str, str]]:
    """Return a delivery's body and headers."""
    data = {"name": "shop", "version": "1", "source": "models:/m-1", "run_id": None}
    body = json.dumps({"entity": "model_version", "action": "created", "data": data}).encode()
    identity, stamp = str(uuid.uuid4()), str(int(time.time()))
    signed = {ID: identity, TIMESTAMP: stamp, SIGNATURE: sign(SECRET, identity, stamp, body)}
    return body, {"content-type": "application/json", **signed}


def main() -> None:
    """Print the times of both and their ratio."""
    port = free_port()
    script = Path(__file__).resolve().parents[1] / "support" / "receiver.py"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(script), str(port), SECRET.decode(), f"{folder}/notes"]
        process = subprocess.Popen(command)
        client = httpx.Client()
        url, times = f"http://127.0.0.1:{port}", {"health page": [], "delivery": []}
        try:
            while True:
                try:
                    client.get(f"{url}/health")
                    break
                except httpx.HTTPError:
                    time.sleep(0.05)
            for _ in range(DELIVERIES):
                body, headers = delivery()
                begin = time.perf_counter()
                client.get(f"{url}/health").raise_for_status()
                middle = time.perf_counter()
                assert client.post(f"{url}/mlflow", content=body, headers=headers).status_code == 202
                times["health page"].append(middle - begin)
                times["delivery"].append(time.perf_counter() - middle)
        finally:
            process.terminate()
            process.wait()
    for name, seconds in times.items():
        ordered = sorted(seconds)
        print(f"{name:12} median {statistics.median(ordered) * 1e3:6.1f} ms, p99 {ordered[-3] * 1e3:6.1f} ms")
    ratio = statistics.median(times["delivery"]) / statistics.median(times["health page"])
    print(f"a delivery takes {ratio:.2f} times the health page")


if __name__ == "__main__":
    main()
