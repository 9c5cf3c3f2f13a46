"""What KServe's router does with an InferenceGraph: ``python graph_router.py --graph-json JSON --port PORT``.

It follows cmd/router/main.go of KServe 0.20: a step that cannot be reached is an error of the whole graph, whatever its
``dependency``; a hard step whose status is no success ends its node with that status and body; a soft one does not.
Of two steps of an ensemble that fail at once, KServe answers with the one that is first, this with a hard one's status.
``FAULT=swallow`` plants a fault: it answers 200 in the place of a hard step's status.
"""

import argparse
import json
import os
import random
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULT = os.environ.get("FAULT", "")


class RoutingError(Exception):
    """The graph ends with an error of its own."""

    def __init__(self, cause, status=500):
        super().__init__(cause)
        self.status = status


def call(url, body, seconds):
    """Post a body to a step; return the body and the status of its answer."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.read(), answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.read(), error.code
    except OSError as error:
        raise RoutingError(f"{url}: {error}") from error
    except Exception as error:  # an answer that breaks off
        raise RoutingError(f"{url}: {type(error).__name__}") from error


def succeeded(status):
    return 200 <= status < 300


def execute(step, spec, body):
    if step.get("nodeName"):
        try:
            return route(step["nodeName"], spec, body)
        except RoutingError as error:  # whatever its status was
            raise RoutingError(str(error)) from error
    return call(step["serviceUrl"], body, (spec.get("routerTimeouts") or {}).get("serviceClient"))


def hard(step):
    return step.get("dependency") == "Hard"


def ended(body, status):
    """A hard step ends its node with its own answer."""
    return (body, 200) if FAULT == "swallow" else (body, status)


def route(name, spec, body):
    """Return the body and the status of a node's answer."""
    node = spec["nodes"][name]
    return {"Sequence": sequence, "Ensemble": ensemble, "Splitter": splitter, "Switch": switch}[node["routerType"]](
        node.get("steps") or [], spec, body
    )


def splitter(steps, spec, body):
    (step,) = random.choices(steps, [each["weight"] for each in steps])
    return execute(step, spec, body)


def switch(steps, spec, body):
    step = next((each for each in steps if exists(body, each["condition"])), None)
    if step is None:
        raise RoutingError("None of the routes matched with the switch condition", 404)
    return execute(step, spec, body)


def valid(body):
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def exists(body, path):
    if not valid(body):
        return False
    found = json.loads(body)
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True


def sequence(steps, spec, body):
    answer, status = b"", 200
    for number, step in enumerate(steps):
        given = answer if step.get("data") == "$response" and number else body
        if step.get("condition"):
            if not valid(answer):
                raise RoutingError("invalid response")
            if not exists(answer, step["condition"]):
                return answer, 200
        answer, status = execute(step, spec, given)
        if hard(step) and not succeeded(status):
            return ended(answer, status)
    return answer, status


def ensemble(steps, spec, body):
    with ThreadPoolExecutor(max(1, len(steps))) as threads:
        futures = [threads.submit(execute, step, spec, body) for step in steps]
    merged = {}
    for number, (step, future) in enumerate(zip(steps, futures, strict=True)):
        try:
            answer, status = future.result()
            read = an_object(answer)
        except (RoutingError, ValueError) as error:
            if FAULT == "swallow":
                return json.dumps({"error": str(error)}).encode(), 200
            raise RoutingError(str(error)) from error
        if hard(step) and not succeeded(status):
            return ended(json.dumps(read).encode(), status)
        merged[step.get("name") or str(number)] = read
    return json.dumps(merged).encode(), 200


def an_object(answer):
    """An answer as Go reads it into a map: an object, or null."""
    read = json.loads(answer)
    if not isinstance(read, dict | None):
        raise ValueError(f"{type(read).__name__} is no object")  # noqa: TRY004
    return read


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(b"", 200)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            self.answer(*route("root", self.server.spec, body))
        except RoutingError as error:
            told = {"error": "Failed to process request", "cause": str(error)}
            self.answer(json.dumps(told).encode(), error.status)

    def answer(self, body, status):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--graph-json", type=json.loads, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    server = Server(("127.0.0.1", given.port), Handler)
    server.spec = given.graph_json
    server.serve_forever()
