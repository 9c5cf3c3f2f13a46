"""Small services of other shapes, each with one fault: ``python shape_service.py PORT SHAPE FAULT``.

``scores`` is also the path in process: what the services should answer for a number.
"""

import csv
import gzip
import hashlib
import io
import json
import math
import sys
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def scores(x):
    """Return the right answer to a number."""
    return {"score": x / 3 + 1, "level": "high" if x > 5 else "low"}


def picture(image):
    """Return the right answer to an image: its width and height as its header says, and its digest."""
    if image[:8] != b"\x89PNG\r\n\x1a\n" or len(image) < 24:
        raise ValueError("no PNG")
    width, height = (int.from_bytes(image[at : at + 4], "big") for at in (16, 20))
    return {"width": width, "height": height, "digest": hashlib.sha256(image).hexdigest()[:12]}


def body_of(handler):
    """Return the JSON that was sent; what is none, or not declared as such, is refused."""
    if handler.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise ValueError("no JSON")

    def refuse(constant):
        raise ValueError(constant)

    return json.loads(handler.body, parse_constant=refuse)


def number_of(record, *others):
    """Return the number in a record, which has no other fields than those."""
    if not isinstance(record, dict) or {*record} != {"x", *others}:
        raise ValueError("other fields")
    if any(not isinstance(record[name], str) for name in others):
        raise ValueError("no text")
    return number(record["x"])


def number(x):
    if isinstance(x, bool) or not isinstance(x, int | float) or not math.isfinite(x):
        raise ValueError("no number")
    return x


def table(handler, fault):
    """A CSV service, compressed in both directions where it is asked so."""
    body = handler.body
    if handler.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    if not rows or "x" not in rows[0]:
        return handler.say(422, b"no rows", "text/plain")
    out = io.StringIO()
    names = ["id", "score", "level"]
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    answered = [{"id": row["id"], **scores(float(row["x"]))} for row in rows]
    if fault == "rounded":
        answered = [{**each, "score": round(each["score"], 2)} for each in answered]
    if fault == "shifted" and len(answered) > 1:
        ids = [each["id"] for each in answered]
        answered = [{**each, "id": i} for each, i in zip(answered, ids[1:] + ids[:1], strict=True)]
    writer.writerows(answered)
    text = out.getvalue()
    if fault == "headless":
        text = text.partition("\n")[2]
    packed = "gzip" in handler.headers.get("accept-encoding", "")
    content = gzip.compress(text.encode()) if packed else text.encode()
    return handler.say(200, content, "text/csv", **({"content-encoding": "gzip"} if packed else {}))


def image(handler, fault):
    """An upload of one picture in a multipart form."""
    head = f"content-type: {handler.headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + handler.body).get_payload()
    if not isinstance(parts, list):
        return handler.json(415, {"detail": "a multipart form is needed"})
    found = {p.get_param("name", header="content-disposition"): p.get_payload(decode=True) for p in parts}
    try:
        answer = picture(found["image"])
    except (KeyError, ValueError):
        return handler.json(500 if fault == "careless" else 422, {"detail": "no PNG"})
    if fault == "turned":
        answer["width"], answer["height"] = answer["height"], answer["width"]
    if fault == "nameless":
        return handler.json(200, list(answer.values()))
    return handler.json(200, {"id": found["id"].decode(), **answer, "took_ms": 3})


def job(handler, fault):
    """A service that answers 202, and later at the address it names."""
    record = body_of(handler)
    answer = {**scores(number_of(record, "id")), "id": record["id"]}
    if fault == "mixed":
        answer["id"] = Handler.last or answer["id"]
    Handler.last = record["id"]
    with Handler.lock:
        number = len(Handler.jobs)
        Handler.jobs.append([0, answer])
    return handler.say(202, b"{}", "application/json", location=f"/jobs/{number}")


def job_state(handler, fault):
    """The state of a job, or its answer."""
    job = Handler.jobs[int(handler.path.rpartition("/")[2])]
    job[0] += 1
    if fault == "never" or job[0] < 2:
        return handler.json(202, {"state": "running"})
    answer = {**job[1], "score": None} if fault == "empty" else job[1]
    return handler.json(200, answer)


def enveloped(handler, fault):
    """A model server: the fault is the envelope, and ``:wrong`` behind it answers in another order."""
    form, _, wrong = fault.partition(":")
    told = body_of(handler)
    if form in ("instances", "inputs", "rows"):
        rows = told[form]
    elif form == "dataframe_split":
        rows = [dict(zip(told[form]["columns"], row, strict=True)) for row in told[form]["data"]]
    else:
        rows = told if isinstance(told, list) else [told]
    others = ["id"] if form in ("rows", "list", "object") else []
    numbers = [number(row[0]) if isinstance(row, list) else number_of(row, *others) for row in rows]
    if not numbers:
        raise ValueError("nothing was asked")
    answers = [scores(x)["score"] for x in numbers]
    if wrong:
        answers = answers[::-1] if len(answers) > 1 else [a + 1 for a in answers]
    if form == "object":
        return handler.json(200, answers[0])
    if form in ("list", "values"):
        return handler.json(200, answers)
    name = {"inputs": "outputs", "rows": "scores"}.get(form, "predictions")
    objects = [{"score": a} for a in answers] if form == "rows" else answers
    return handler.json(200, {"model": "3", "took_ms": 4, name: objects, "other": [{"a": 1}]})


def message(handler, fault):
    """A service of protobuf messages: one Struct for another."""
    from google.protobuf.message import DecodeError
    from google.protobuf.struct_pb2 import Struct

    try:
        asked = Struct.FromString(handler.body)
        answer = {"id": asked["id"], **scores(number(asked["x"]))}
    except (DecodeError, ValueError) as error:
        raise ValueError("no message of a request") from error
    if fault == "rounded":
        answer["score"] = round(answer["score"], 2)
    if fault == "mixed":
        answer["id"], Handler.last = Handler.last or answer["id"], answer["id"]
    told = Struct()
    told.update(answer)
    return handler.say(200, told.SerializeToString(), "application/x-protobuf")


SHAPES = {"protobuf": message, "csv": table, "image": image, "job": job, "envelope": enveloped}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    jobs, last, lock = [], None, threading.Lock()

    def do_GET(self):
        if self.path.startswith("/jobs/"):
            return job_state(self, sys.argv[3])
        return self.json(200, {"status": "ok"})

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers["content-length"]))
        try:
            SHAPES[sys.argv[2]](self, sys.argv[3])
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError, EOFError):
            self.json(400, {"detail": "not a request"})

    def json(self, status, content):
        return self.say(status, json.dumps(content).encode(), "application/json")

    def say(self, status, body, kind, **headers):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 64
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
