"""A model and its export: what ONNX Runtime serves against scikit-learn. Data: breast cancer, from UCI."""

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seatrial import Pipeline, Tolerance

DATA = load_breast_cancer(as_frame=True)
INPUTS = [name.replace(" ", "_") for name in DATA.feature_names]
TRAINED = 250


def requests(seed):
    chosen = np.random.default_rng(seed).choice(np.arange(TRAINED, len(DATA.data)), 150, replace=False)
    rows = DATA.data.set_axis(INPUTS, axis=1).iloc[chosen].reset_index(drop=True)
    return rows.assign(case_id=[f"case-{n}" for n in chosen])


def original():
    inputs = DATA.data.to_numpy()[:TRAINED]
    network = MLPClassifier((8,), random_state=0, max_iter=200, solver="lbfgs", alpha=1.0)
    return make_pipeline(StandardScaler(), network).fit(
        inputs, np.where(DATA.target[:TRAINED] == 1, "benign", "malign")
    )


def fit(folder):
    model = original()
    for name, part in (("model", model), ("unscaled", model[-1])):
        exported = to_onnx(part, np.zeros((1, len(INPUTS)), np.float32), options={"zipmap": False})
        (folder / f"{name}.onnx").write_bytes(exported.SerializeToString())
    return folder / "model.onnx"


def load(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def raw(frame):
    return frame[["case_id", *INPUTS]].astype(dict.fromkeys(INPUTS, "float64"))


def features(frame, columns=INPUTS, kind=np.float32):
    values = frame[columns].to_numpy().astype(kind).astype(np.float32)
    return frame[["case_id"]].assign(vector=list(values))


def prediction(frame, model, which=1):
    [label, scores] = model.run(None, {"X": np.array([*frame["vector"]], dtype=np.float32).reshape(-1, len(INPUTS))})
    return frame[["case_id"]].assign(diagnosis=[str(x) for x in label], malign=scores[:, which].astype("float64"))


def response(frame, flip=False):
    return frame.assign(
        malign=frame["malign"].round(3), urgent=(frame["malign"] < 0.9 if flip else frame["malign"] > 0.9)
    )


def given(asked, model):
    """The answers of the original."""
    trained = original()
    rows = raw(asked)
    inputs = rows[INPUTS].to_numpy()
    scores = trained.predict_proba(inputs)[:, list(trained.classes_).index("malign")]
    return {"prediction": rows[["case_id"]].assign(diagnosis=trained.predict(inputs), malign=scores)}


STAGES = {"raw": raw, "features": features, "prediction": prediction, "response": response}
SETTINGS = {"key": "case_id"}
pipeline = Pipeline("tumours", model=load, **SETTINGS, **STAGES)
POLICY = {
    "prediction": {"tolerances": {"malign": Tolerance(rtol=1e-4, atol=1e-5)}},
    "response": {"tolerances": {"malign": Tolerance(atol=0.0011)}},
}
BUGS = {
    "columns come in the order of the alphabet": (
        "features",
        {"features": lambda frame: features(frame, sorted(INPUTS))},
    ),
    "the vector has half precision": ("features", {"features": lambda frame: features(frame, kind=np.float16)}),
    "the export is without its scaler": (
        "prediction",
        {"model": lambda path: load(path.replace("model.onnx", "unscaled.onnx"))},
    ),
    "the score is that of the other class": (
        "prediction",
        {"prediction": lambda frame, model: prediction(frame, model, which=0)},
    ),
    "a comparison is turned round": ("response", {"response": lambda frame: response(frame, flip=True)}),
}
