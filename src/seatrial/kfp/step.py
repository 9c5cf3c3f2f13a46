"""What the component runs: ``seatrial validate``, and its results where Kubeflow Pipelines expects them.

``python -m seatrial.kfp.step --version URI …``. It exits with 0 whatever the verdict is, so that the pipeline decides
by the verdict, and with the code of ``seatrial validate`` where there is none.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NO_VERDICT = 2  # the exit code of what could not be judged
EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": NO_VERDICT, "error": NO_VERDICT}
REPORT, JUNIT = "report.html", "junit.xml"


def main(words: Sequence[str] | None = None) -> int:
    """Validate the version, write the outputs, and return the exit code."""
    asked = _parser().parse_args(words)
    with tempfile.TemporaryDirectory(prefix="seatrial-kfp-") as folder:
        written = Path(folder)
        code, verdict = _validated(asked, written)
        if verdict is None:
            return code or NO_VERDICT
        _put(asked.verdict, verdict["outcome"])
        _put(asked.uri, _uri(asked.version, verdict["subject"]))
        for name, output in ((REPORT, asked.report), (JUNIT, asked.junit)):
            output.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(written / name, output)
    numbers = metrics(verdict)
    _put(asked.metrics, json.dumps(numbers, indent=1))
    if asked.executor_input:
        _tell_launcher(json.loads(asked.executor_input), numbers)
    return 0


def metrics(verdict: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a verdict's JSON by name; numbers that are not finite are left out: JSON has none.

    Example:
        >>> measured = {"check": "golden", "stage": "service", "column": None, "name": "agreement", "value": 1.0}
        >>> metrics({"findings": [], "seconds": 2.5, "measurements": [measured]})
        {'findings': 0, 'seconds': 2.5, 'golden/service/agreement': 1.0}
    """
    errors = sum(each["severity"] == "error" for each in verdict["findings"])
    found = {"findings": errors, "seconds": verdict["seconds"]}
    for each in verdict["measurements"]:
        place = [each[part] for part in ("check", "stage", "column", "name")]
        found["/".join(filter(None, place))] = each["value"]
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def _validated(asked: argparse.Namespace, folder: Path) -> tuple[int, dict[str, Any] | None]:
    """Return the exit code of ``seatrial validate`` and the verdict it wrote, or None where it wrote none."""
    file = folder / "verdict.json"
    command = [sys.executable, "-m", "seatrial", "validate", asked.version, "--project", str(asked.project)]
    for sink, path in (("json", file), ("html", folder / REPORT), ("junit", folder / JUNIT)):
        command += ["--sink", f"{sink}={path}"]
    code = subprocess.run(command, check=False).returncode  # noqa: S603
    verdict = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    if verdict is not None and not believed(verdict, code):
        _say(f"seatrial validate wrote the verdict '{verdict['outcome']}' and ended with {code}: it is not believed.")
        return code, None
    return code, verdict


def believed(verdict: Mapping[str, Any], code: int) -> bool:
    """Return whether a verdict is what the command that wrote it ended with: it may have been killed after that.

    Example:
        >>> believed({"outcome": "pass"}, 0), believed({"outcome": "pass"}, -9)
        (True, False)
    """
    return EXIT_CODES.get(verdict["outcome"]) == code


def _uri(asked: str, subject: Mapping[str, Any]) -> str:
    """Return the URI of the version that was validated, by its number; ``asked`` may have been an alias."""
    return f"{asked.partition(':')[0]}:/{subject['model']}/{subject['version']}"


def _tell_launcher(executor_input: Mapping[str, Any], numbers: Mapping[str, float]) -> None:
    """Write what the launcher reads beside the outputs: the metrics, as the metadata of their artifact."""
    outputs = executor_input["outputs"]
    artifact = {"uri": outputs["artifacts"]["metrics"]["artifacts"][0]["uri"], "metadata": dict(numbers)}
    _put(Path(outputs["outputFile"]), json.dumps({"artifacts": {"metrics": {"artifacts": [artifact]}}}))


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _say(message: str) -> None:
    print(f"seatrial: {message}", file=sys.stderr)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m seatrial.kfp.step", description=__doc__)
    parser.add_argument("--version", required=True, help="URI of the version")
    parser.add_argument("--project", type=Path, required=True, help="directory of the project")
    for output in ("verdict", "uri", "report", "junit", "metrics"):
        parser.add_argument(f"--{output}", type=Path, required=True, help="file to write")
    parser.add_argument("--executor-input", default="", help="what kfp calls ExecutorInput, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
