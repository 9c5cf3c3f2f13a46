"""Other tools and seatrial on the same planted faults: ``python tests/bench/comparison/run.py [--work DIR]``.

Trains the churn service of ``project/``, plants each fault of ``faults.py`` in its code, and runs each tool of
``tools.py``, the third-party ones in environments of their own, which are made where they are missing. Prints the table
of docs/explanation/why-not.md as Markdown. With ``--work``, what was measured is kept in a folder, and a second call
goes on from there; ``--fault`` and ``--tool`` take parts of names.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "project"), str(HERE.parents[1] / "conformance")]

import traffic  # noqa: E402
from environments import environment, interpreter  # noqa: E402
from faults import FAULTS, Fault  # noqa: E402
from results import CLEAN, Results  # noqa: E402
from subject import ROWS, Subject, planted, replayed, serving, trained  # noqa: E402
from tools import TOOLS, Result, Tool, asked_of_code, asked_of_data, lines, located, result_of  # noqa: E402


def main() -> int:
    """Measure what is missing, and print the table."""
    read = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    read.add_argument("--work", type=Path, help="where projects and results are kept; a temporary folder by default")
    read.add_argument("--fault", default="", help="only rows whose name contains this")
    read.add_argument("--tool", default="", help="only columns whose name contains this")
    read.add_argument("--checks", default="", help="those that seatrial runs, with commas; all by default")
    read.add_argument("--table", action="store_true", help="print what was measured, and measure nothing")
    told = read.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        results = Results((told.work or Path(scratch)).resolve())
        tools = [tool for tool in TOOLS if told.tool in tool.name]
        faults = [fault for fault in FAULTS if told.fault in fault.name]
        if not told.table:
            with serving(Subject(HERE / "project", ""), sys.executable, "store.py", "{port}") as store:
                measure(results, store, faults, tools, [each for each in told.checks.split(",") if each])
        print(table(results, tools))
    return 0


def measure(results: Results, store: str, faults: list[Fault], tools: list[Tool], checks: list[str]) -> None:
    """Plant each fault, have the tools look at code and service, and then those that look at what was served."""
    work = results.work
    base = trained(work / "project", store)
    worse = {f.name: f.noise for f in faults if f.noise}
    other = trained(work / "worse", store, max(worse.values()), base.root / "recorded") if worse else base
    data = [tool for tool in tools if tool.packages]
    for fault in faults:
        subject = other if fault.noise else base
        code = [t for t in tools if not t.packages and not fault.traffic and not results.has(fault, t)]
        unserved = bool(data) and not served(work, fault).is_file()
        if code or unserved:
            with planted(subject, fault):
                if unserved:
                    replay(subject, fault, served(work, fault))
                for tool in code:
                    results.put(fault, tool, asked_of_code(tool, subject, checks))
    for tool in data:
        python = environment(*tool.packages, base=interpreter(tool.python))
        for subject in (base, other):
            missing = [f for f in faults if bool(f.noise) == (subject is other and other is not base)]
            missing = [f for f in missing if not results.has(f, tool) and (tool.traffic or not f.traffic)]
            missing.sort(key=lambda f: f is not CLEAN)  # the first is timed with the imports
            if missing:
                files = {f.name: served(work, f) for f in missing}
                said = asked_of_data(tool, str(python), subject, files)
                for f in missing:
                    failed, raised, seconds = said[f.name]
                    results.put(f, tool, result_of(failed, raised, seconds))


def served(work: Path, fault: Fault) -> Path:
    """Return the file of what was served while a fault was planted."""
    return work / f"served-{re.sub('[^a-z0-9]+', '-', fault.name)}.csv"


def replay(subject: Subject, fault: Fault, path: Path) -> None:
    """Send the recorded requests, or those of the fault's traffic, and keep what was served."""
    recorded = subject.root / "recorded"
    requests, labels = recorded / "reference_requests.jsonl", pd.read_csv(recorded / "reference_served.csv")["left"]
    if fault.traffic:
        seed, shifted = fault.traffic
        asked, requests = traffic.requests(ROWS, seed, shifted), path.with_suffix(".requests")
        asked.to_json(requests, orient="records", lines=True, double_precision=15)
        labels = traffic.outcomes(asked, seed)
    replayed(subject, requests, labels, path)


def mark(fault: Fault, tool: Tool, result: Result | None) -> str:
    """Return the cell of a result."""
    if result is None:
        return "not run"
    if fault.red and fault.traffic and not tool.traffic:
        return "–"  # it was not shown the traffic
    stopped = result.outcome in {"inconclusive", "error"}  # exit code 2: no pass, and no finding
    if not fault.red:
        return result.outcome if stopped else "false alarm" if result.failed else "green"
    return "**located**" if located(fault, tool, result.named) else "seen" if result.failed or stopped else "–"


def table(results: Results, tools: list[Tool]) -> str:
    """Return the results as Markdown: a row a fault, and below them the sums, the seconds and the lines."""
    faults = [f for f in FAULTS if any(results.has(f, t) for t in tools)]
    cells = {t.name: [mark(f, t, results.get(f, t)) for f in faults] for t in tools}
    rows = [["planted", *cells], ["---"] * (len(tools) + 1)]
    rows += [[fault.name, *(cells[t.name][n] for t in tools)] for n, fault in enumerate(faults)]
    for what in ("**located**", "seen", "false alarm"):
        rows.append([f"sum: {what.strip('*')}", *(str(cells[t.name].count(what)) for t in tools)])
    clean = [results.get(CLEAN, t) for t in tools]
    rows.append(["processor seconds", *(f"{each.seconds:.0f}" if each else "" for each in clean)])
    rows.append(["lines written", *(str(lines(tool)) for tool in tools)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
