"""An MLServer with the linear model as scikit-learn has it: ``python linear_mlserver.py HTTP_PORT GRPC_PORT``."""

import json
import os
import sys
import tempfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.linear_model import LinearRegression

SLOPE = float(os.environ.get("SLOPE", "2"))


def write(folder, http_port, grpc_port):
    """Write the model and the settings of a server for it alone."""
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    joblib.dump(LinearRegression().fit(rows, rows @ np.array([SLOPE, 3.0]) - 1), folder / "model.joblib")
    server = {"host": "127.0.0.1", "http_port": http_port, "grpc_port": grpc_port, "parallel_workers": 0,
              "metrics_endpoint": None, "load_models_at_startup": True, "debug": False}  # fmt: skip
    model = {"name": "linear", "implementation": "mlserver_sklearn.SKLearnModel",
             "parameters": {"uri": str(folder / "model.joblib")}}  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(server))
    (folder / "model-settings.json").write_text(json.dumps(model))


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="linear-mlserver-"))
    write(folder, int(sys.argv[1]), int(sys.argv[2]))
    os.execv(sys.executable, [sys.executable, "-c", "from mlserver.cli import main; main()", "start", str(folder)])
