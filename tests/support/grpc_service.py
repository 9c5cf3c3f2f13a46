"""A small inference server over gRPC, with one fault: ``python grpc_service.py PORT GRPC_PORT FAULT``.

Its readiness path is HTTP. ``score`` is also the path in process: what it should answer.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc

from seatrial.targets.oip.messages import message

SERVICE = "inference.GRPCInferenceService"


def score(x):
    """Return the right answer to a number."""
    return x / 3 + 1


def model_infer(request, context, fault):
    values = list(request.inputs[0].contents.fp64_contents)
    if fault == "late":
        time.sleep(0.3)
    if fault == "refuses":
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many")
    if fault == "without-store":
        context.abort(grpc.StatusCode.UNAVAILABLE, "cannot connect to the feature store")
    if fault == "impatient":
        context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the feature store took too long")
    answer = message("ModelInferResponse", model_name=request.model_name)
    output = answer.outputs.add(name="predict", datatype="FP64", shape=[len(values), 1])
    output.contents.fp64_contents.extend(score(x) + (0.5 if fault == "wrong" else 0) for x in values)
    return answer


def server(fault, port=0):
    """Return a started server and its port."""

    def handler(name, function):
        request, response = (type(message(f"{name}{kind}")) for kind in ("Request", "Response"))
        return grpc.unary_unary_rpc_method_handler(
            function, request_deserializer=request.FromString, response_serializer=response.SerializeToString
        )

    methods = {
        "ModelInfer": handler("ModelInfer", lambda request, context: model_infer(request, context, fault)),
        "ServerLive": handler("ServerLive", lambda *_: message("ServerLiveResponse", live=True)),
    }
    made = grpc.server(ThreadPoolExecutor(16))
    made.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = made.add_insecure_port(f"127.0.0.1:{port}")
    made.start()
    return made, port


class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    kept = server(sys.argv[3], int(sys.argv[2]))  # it ends with the last reference to it
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
