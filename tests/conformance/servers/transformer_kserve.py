"""A KServe transformer before the linear model: ``python transformer_kserve.py HTTP_PORT GRPC_PORT PREDICTOR_URL``.

It makes the features ``a`` and ``b`` of a trip, and asks the predictor over the Open Inference Protocol, on 127.0.0.1
alone. ``FAULT`` plants one fault on the hop: ``swallow`` answers a default where the predictor fails, ``swap``
exchanges the features.
"""

import os
import sys
from urllib.parse import urlsplit

import numpy as np
from kserve import InferInput, InferRequest, Model, ModelServer
from kserve.predictor_config import PredictorConfig
from linear_kserve import on_loopback

FAULT = os.environ.get("FAULT", "")
DEFAULT = 0.0


class Features(Model):
    def __init__(self):
        super().__init__("linear")
        self.ready = True

    def preprocess(self, payload, headers=None):
        rows = [[each["km"] * 1.5, each["minutes"] / 60] for each in payload["instances"]]
        if FAULT == "swap":
            rows = [row[::-1] for row in rows]
        tensor = InferInput("points", [len(rows), 2], "FP64")
        tensor.set_data_from_numpy(np.array(rows), binary_data=False)
        return InferRequest(self.name, [tensor])

    async def predict(self, payload, headers=None, response_headers=None):
        try:
            return await super().predict(payload, headers, response_headers)
        except Exception:
            if FAULT != "swallow":
                raise
            return None

    def postprocess(self, result, headers=None, response_headers=None):
        return {"predictions": [DEFAULT] if result is None else result.outputs[0].as_numpy().tolist()}


if __name__ == "__main__":
    on_loopback()
    config = PredictorConfig(urlsplit(sys.argv[3]).netloc, "v2", predictor_request_timeout_seconds=1)
    server = ModelServer(
        http_port=int(sys.argv[1]), grpc_port=int(sys.argv[2]), workers=1, predictor_config=config
    )  # fmt: skip
    server.start([Features()])
