"""The planted faults: edits of the churn project's code, as a developer would make them by mistake."""

from dataclasses import dataclass

PREDICTED = frozenset({"prediction", "stays", "leaves"})
OUTPUTS = frozenset({"risk", "label", "prediction"})
QUALITY = frozenset({"quality", "auc", "roc_auc", "accuracy", "performance"})


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        name: of the row.
        where: the names of which a tool must give one, and no name of another feature, to have located it.
        edits: of the code that serves, after training: file, text, and what takes its place.
        red: whether a tool should fail; a clean row must stay green.
        noise: the share of flipped labels that a new model is trained on, with everything recorded anew.
        traffic: the seed of what is sent by those that look at traffic, and whether it is shifted.
        outputs: whether features that are right and an output that is wrong locate it, for a tool that sees both.
    """

    name: str
    where: frozenset[str] = frozenset()
    edits: tuple[tuple[str, str, str], ...] = ()
    red: bool = True
    noise: float = 0.0
    traffic: tuple[int, bool] | None = None
    outputs: bool = False


FAULTS = (
    Fault(
        "hour in local time",
        frozenset({"hour"}),
        (("features.py", '["asked_at"].dt.hour', '["asked_at"].dt.tz_convert("Europe/Berlin").dt.hour'),),
    ),
    Fault(
        "columns in another order",
        PREDICTED,
        (("features.py", "frame[COLUMNS].to_numpy()", "frame[sorted(COLUMNS)].to_numpy()"),),
        outputs=True,
    ),
    Fault(
        "feature rounded to 2 digits",
        frozenset({"usage"}),
        (
            (
                "features.py",
                'frame["minutes"] / (frame["calls"] + 1)',
                '(frame["minutes"] / (frame["calls"] + 1)).round(2)',
            ),
        ),
    ),
    Fault(
        "unit changed for one country",
        frozenset({"bill"}),
        (("features.py", '"GB": 1.17', '"GB": 117.0'),),
    ),
    Fault("nulls filled with 0", frozenset({"tenure"}), (("features.py", "FILL = 24.0", "FILL = 0.0"),)),
    Fault(
        "classes swapped in postprocess",
        frozenset({"postprocess", "score", "risk"}),
        (("features.py", 'score = frame["leaves"]', 'score = frame["stays"]'),),
        outputs=True,
    ),
    Fault(
        "response field renamed",
        frozenset({"response", "risk", "probability"}),
        (
            ("features.py", '"risk": frame', '"probability": frame'),
            ("service.py", "    risk: float", "    probability: float"),
        ),
    ),
    Fault(
        "skew in the service only",
        frozenset({"service", "usage", "minutes"}),
        (("service.py", "asked.model_dump()", 'asked.model_dump() | {"minutes": float(int(asked.minutes))}'),),
        outputs=True,
    ),
    Fault(
        "stale model in the service",
        frozenset({"service", *PREDICTED}),
        (("service.py", 'os.environ["MODEL_PATH"]', '"older"'),),
        outputs=True,
    ),
    Fault(
        "no fallback: 5xx in an outage",
        frozenset({"store", "outage"}),
        (("features.py", "complaints, degraded = 0.0, True", "raise"),),
    ),
    Fault(
        "0.9 s slower",
        frozenset({"service", "latency"}),
        (("service.py", "    record = asked", "    time.sleep(0.9)\n    record = asked"),),
    ),
    Fault("worse model, recorded anew", QUALITY | {"postprocess"}, noise=0.4),
    Fault("clean", red=False),
    Fault(
        "clean, with noise of 1e-12",
        edits=(("features.py", "leaves=leaves)", "leaves=leaves * (1 + 1e-12))"),),
        red=False,
    ),
    Fault("traffic shifts, code is right", frozenset({"bill"}), traffic=(21, True)),
    Fault("clean, other customers", red=False, traffic=(22, False)),
)
