"""A KServe ModelServer with the linear model: ``python linear_kserve.py HTTP_PORT GRPC_PORT``, on 127.0.0.1 alone."""

import os
import sys

import kserve.protocol.grpc.server as grpc_server
import numpy as np
import uvicorn
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

SLOPE = float(os.environ.get("SLOPE", "2"))


class Linear(Model):
    def __init__(self):
        super().__init__("linear")
        self.ready = True

    def predict(self, payload: InferRequest, headers=None, response_headers=None):
        rows = payload.inputs[0].as_numpy()
        y = rows @ np.array([SLOPE, 3.0]) - 1
        output = InferOutput(name="y", shape=list(y.shape), datatype="FP64")
        output.set_data_from_numpy(y, binary_data=False)
        return InferResponse(response_id=payload.id or "unnamed", model_name="linear", infer_outputs=[output])


def on_loopback():
    """Bind to 127.0.0.1: the package binds to every interface and takes no address."""
    configure, serve = uvicorn.Config.__init__, grpc_server.aio.server

    def local_config(self, *args, **kwargs):
        configure(self, *args, **{**kwargs, "host": "127.0.0.1"})

    def local_server(*args, **kwargs):
        server = serve(*args, **kwargs)
        add = server.add_insecure_port
        server.add_insecure_port = lambda address: add(f"127.0.0.1:{address.rpartition(':')[2]}")
        return server

    uvicorn.Config.__init__ = local_config
    grpc_server.aio.server = local_server


if __name__ == "__main__":
    on_loopback()
    ModelServer(http_port=int(sys.argv[1]), grpc_port=int(sys.argv[2]), workers=1).start([Linear()])
