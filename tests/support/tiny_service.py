"""A small JSON service with one fault, for the golden check: ``python tiny_service.py PORT FAULT``.

``answer`` is also the path in process: what the service should say.
"""

import contextlib
import json
import os
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FIRST = 2**53 + 1


def answer(record):
    """Return the right answer to one request."""
    x = record["x"]
    score = None if x is None else x / 3 + 1
    return {
        "id": record["id"],
        "score": score,
        "big": score is not None and score > 1.5,
        "level": "none" if score is None else ("high" if score > 1.5 else "low"),
        "count": int(record["id"][1:]) * 7,
        "at": record["at"],
        "tags": [] if score is None else ["seen"],
    }


def narrow(x):
    """Return a number after a round trip through float32."""
    return struct.unpack("f", struct.pack("f", x))[0]


def respond(received, fault, asked=10**6):
    """Return status and content for one request, an object or a list; ``asked`` counts the requests so far."""
    if fault == "crashes" and not isinstance(received, list) and received["x"] is None:
        return 500, {"detail": "oops"}
    if fault == "refuses" and not isinstance(received, list) and received["x"] is None:
        return 422, {"detail": [{"loc": ["body", "x"], "msg": "secret value"}]}
    if not isinstance(received, list):
        return 200, faulty(received, fault, asked)
    content = [faulty(record, fault, asked) for record in received]
    if fault == "reordered":
        content.sort(key=lambda each: -each["count"])
    if fault == "keyless-reordered":
        content = [{k: v for k, v in each.items() if k != "id"} for each in reversed(content)]
    if fault == "short":
        content.pop()
    if fault == "batch":
        mean = sum(each["score"] or 0 for each in content) / len(content)
        content = [{**each, "score": each["score"] and each["score"] - mean / 100} for each in content]
    return 200, {"results": content} if fault == "envelope" else content


def faulty(record, fault, asked):
    if fault == "narrow-input" and record["x"] is not None:
        record = {**record, "x": narrow(record["x"])}
    if fault == "null-input" and record["x"] is None:
        record = {**record, "x": 0.0}
    said = answer(record)
    if fault == "narrow" and said["score"] is not None:
        said["score"] = narrow(said["score"])
    if fault == "round" and said["score"] is not None:
        said["score"] = round(said["score"], 2)
    if fault == "null-as-zero" and said["score"] is None:
        said["score"] = 0.0
    if fault == "text":
        said["count"] = str(said["count"])
    if fault == "bool-as-int":
        said["big"] = int(said["big"])
    if fault == "no-offset":
        said["at"] = said["at"].replace("+00:00", "")
    if fault == "other-offset":  # the same instant: benign
        said["at"] = said["at"].replace("T10:", "T12:").replace("+00:00", "+02:00")
    if fault == "renamed":
        said["grade"] = said.pop("level")
    if fault == "varying":
        said["answered_at"] = os.urandom(4).hex()
    if fault == "wide":
        said["serial"] = FIRST + said["count"]
    if fault == "double":
        said["serial"] = int(float(FIRST + said["count"]))
    if fault == "nan" and said["score"] is None:
        said["score"] = float("nan")
    if fault == "degraded" or (fault == "slow-start" and asked < 3):
        said |= {"degraded": True, "score": 0.0, "why": "the store did not answer"}
    if fault == "keyless":
        del said["id"]
    return said


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0
    lock = threading.Lock()

    def do_GET(self):
        self.say(200, {"status": "ok"})

    def do_POST(self):
        fault = sys.argv[2]
        received = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with Handler.lock:
            Handler.asked += 1
        if fault == "dies" and Handler.asked > 20:
            os.kill(os.getpid(), 9)
        if fault == "hangs":
            threading.Event().wait()
        if fault in NASTY:
            return NASTY[fault](self)
        return self.say(*respond(received, fault, Handler.asked))

    def say(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def head(handler, status=200, **headers):
    handler.close_connection = True
    handler.send_response(status)
    handler.send_header("connection", "close")  # or the next request may meet a connection that is being closed
    for name, value in headers.items():
        handler.send_header(name, str(value))
    handler.end_headers()


def gigabyte(handler):
    head(handler, **{"content-length": 2**30})
    handler.wfile.write(b"[")


def endless(handler, part=b"[" * 2**16, pause=0.0):
    head(handler)
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(part)
            time.sleep(pause)


def drips(handler):
    endless(handler, b"[", 0.05)


def cut(handler):
    head(handler, **{"content-length": 7})
    handler.wfile.write(b'{"id": ')


def elsewhere(handler):
    head(handler, 307, location="http://203.0.113.7/score")


NASTY = {each.__name__: each for each in (gigabyte, endless, drips, cut, elsewhere)}

if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 64
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
