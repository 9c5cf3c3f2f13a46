"""A predictor of taxi tips over KServe's V1 protocol, with scikit-learn; it asks a store for the rate of a zone.

``MODEL`` is the folder of the model, ``ZONES`` the address of the store, ``HOST`` and ``PORT`` where it listens.
``/v1/models/tips:predict`` takes ``{"instances": […]}``, ``/score`` one record. ``FAULT`` plants one fault.
"""

import json
import math
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression

FAULT = os.environ.get("FAULT", "none")
SECONDS = 0.5
USUAL = 1.0  # the rate where the store does not answer


def load(folder):
    """Return the fitted model."""
    known = json.loads((Path(folder) / "coefficients.json").read_text())
    model = LinearRegression()
    model.coef_, model.intercept_ = np.array(known["coef"]), known["at"]
    return model


def rate_of(zone):
    """Return a zone's rate, and why it is the usual one where the store does not answer."""
    try:
        with urllib.request.urlopen(f"{os.environ['ZONES']}/{zone}", timeout=SECONDS) as answer:
            return number(json.load(answer)["rate"]), ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        return USUAL, type(error).__name__


def number(value):
    """Return a finite number; ValueError where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)


def predict(instances):
    """Return a prediction for each instance."""
    rates = [rate_of(each["zone"]) for each in instances]
    rows = [[each["distance"] * rate, float(each["night"])] for each, (rate, _) in zip(instances, rates, strict=True)]
    if FAULT == "skew":
        rows = [[each["distance"], float(each["night"])] for each in instances]
    found = []
    for tip, (_, why) in zip(MODEL.predict(np.array(rows)).tolist(), rates, strict=True):
        found.append({"tip": tip, "degraded": bool(why), **({"degraded_reason": why} if why else {})})
    return found


def checked(record, names):
    """Return a record whose fields are as declared; ValueError says what is wrong."""
    if not isinstance(record, dict) or {*record} != names:
        raise ValueError(f"the fields are {', '.join(sorted(names))}")
    if any(not isinstance(record[name], str) for name in names & {"id", "zone"}) or not record["zone"].isalpha():
        raise ValueError("id and zone are texts, a zone of letters")
    if record["night"] is not True and record["night"] is not False:
        raise ValueError("night is true or false")
    if FAULT == "unlists" and isinstance(record["distance"], list):
        record["distance"] = record["distance"][0]
    if not 0 <= number(record["distance"]) < 1e6:
        raise ValueError("distance is a number of kilometres below 1,000,000")
    return record


def refuse(constant):
    """NaN and infinity are not JSON."""
    raise ValueError(constant)


def answered(path, sent):
    """Return status and content of the answer to a body."""
    if path == "/score":
        record = checked(sent, {"id", "zone", "distance", "night"})
        return 200, {"id": record["id"], **predict([record])[0]}
    if path != "/v1/models/tips:predict":
        return 404, {"error": "there is no such path"}
    instances = sent["instances"] if isinstance(sent, dict) and {*sent} == {"instances"} else None
    if not isinstance(instances, list) or not instances:
        raise ValueError("instances is a list of records")
    return 200, {"predictions": predict([checked(each, {"zone", "distance", "night"}) for each in instances])}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/v1/models/tips":
            return self.answer(200, {"name": "tips", "ready": True})
        return self.answer(404, {"error": "there is no such path"})

    def do_POST(self):
        try:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("content-type", "").partition(";")[0] != "application/json":
                return self.answer(415, {"error": "send application/json"})
            return self.answer(*answered(self.path, json.loads(body, parse_constant=refuse)))
        except (ValueError, RecursionError) as error:
            return self.answer(422, {"error": str(error)})

    def answer(self, status, content):
        body = json.dumps(content).encode("utf-8", "replace")
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
    if FAULT == "ends":
        sys.exit("the model cannot be read")
    MODEL = load(os.environ["MODEL"])
    Server((os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
