"""What a verdict's task in ClearML holds: its name, project, tags, parameters, scalars, table, picture and files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seatrial.registry.clearml import stored

TYPE = "testing"
NOTE = "mlflow.note.content"  # of a run's tags: the verdict in Markdown
BODY = "seatrial"  # the configuration object that holds all of a run but its files
NOT_FINITE = "not_finite"  # the section of parameters with the measurements that ClearML would store as 0
KEY_TAG, VERDICT_TAG = "key: ", "verdict: "  # before what they say
_PLAIN = re.compile(r"[^A-Za-z0-9 ._-]+")  # what the package's addresses of files carry as it is, but the slash


def write(task: Any, body: Mapping[str, Any], folder: Path) -> None:
    """Write a run to a task of the package: parameters, description, scalars, the findings, a picture, files.

    Raises:
        RegistryError: a file was not taken.
    """
    from seatrial.registry.clearml import pictures  # not where a training script stores a reference

    params = {f"parameters/{name}": value for name, value in body["params"].items()}
    facts = {f"verdict/{_short(name)}": value for name, value in body["tags"].items() if name != NOTE}
    odd = {name: value for name, value in body["metrics"].items() if not math.isfinite(value)}
    task.set_parameters(params | facts | {f"{NOT_FINITE}/{name}": str(value) for name, value in odd.items()})
    task.set_configuration_object(BODY, config_text=json.dumps(body), config_type="json")
    task.set_comment(body["tags"].get(NOTE, ""))
    report = task.get_logger()
    for name, value in body["metrics"].items():
        if name not in odd:
            report.report_single_value(name, value)
    if verdict := pictures.read(folder):
        report.report_table("findings", "findings", 0, table_plot=pictures.findings(verdict))
        report.report_plotly("checks by stage", "state", pictures.states(verdict), 0)
    for path in files_of(folder):
        stored.upload(task, path.relative_to(folder).as_posix(), path)


def files_of(folder: Path) -> list[Path]:
    """Return the files of a directory, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def tags_of(body: Mapping[str, Any], key: str) -> list[str]:
    """Return the tags of a run's task: the outcome, the version, and the key by which it is found again.

    Example:
        >>> tags_of({"model": "fraud", "tags": {"seatrial.verdict": "pass"}, "params": {"version": "3"}}, "8f3a")
        ['verdict: pass', 'version: fraud/3', 'key: 8f3a']
    """
    known = [
        VERDICT_TAG + body["tags"].get("seatrial.verdict", ""),
        version_tag(body["model"], body["params"]["version"]),
    ]
    return [*known, *([KEY_TAG + key] if key else [])]


def version_tag(model: str, number: str) -> str:
    """Return the tag of a version's runs."""
    return f"version: {model}/{number}"


def title(body: Mapping[str, Any]) -> str:
    """Return the name of a run's task. The package names folders and addresses after it, so it is plain ASCII.

    Example:
        >>> title({"name": "fail · a/../b"})
        'fail - a_.._b'
    """
    return _PLAIN.sub("_", body["name"].replace(" · ", " - "))


def project_of(model: str) -> str:
    """Return the project of the verdicts on a model; of its name, too, the package makes folders and addresses.

    Example:
        >>> project_of("payments/fraud"), project_of("../größe")
        ('seatrial/payments/fraud', 'seatrial/_/gr_e')
    """
    parts = (_PLAIN.sub("_", part) for part in model.split("/"))
    return "/".join(["seatrial", *(part if part.strip(". ") else "_" for part in parts)])


def _short(name: str) -> str:
    return name.removeprefix("seatrial.") if name != "seatrial" else "summary"
