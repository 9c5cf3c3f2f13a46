"""Eleven frameworks as their tutorials write them, judged: ``python tests/bench/frameworks.py [--bugs] [NAME...]``.

Makes the environment that has them all, starts each service in it, and asks golden, contract and load of it, with the
allowances of ``tests/conformance/frameworks/delivery.py``. Prints a row a framework, and every finding below. With
``--bugs``, one wrong answer and one 5xx are planted in each, and looked for. Exit code 1 where a clean one does not
pass, or a bug is not found.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "conformance")]

import environments  # noqa: E402

from seatrial import Outcome  # noqa: E402
from tests.conformance.frameworks import delivery, running  # noqa: E402

HEAD = ("framework", "golden", "contract", "load", "allowances", "findings", "seconds")
CHECKS = ("golden", "contract", "load")


def main():
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--bugs", action="store_true", help="plant bugs, and look whether they are found")
    asked.add_argument("--checks", default=",".join(CHECKS), help="of the clean runs")
    asked.add_argument("names", nargs="*", help="frameworks; all by default")
    told = asked.parse_args()
    python = environments.environment(*environments.FRAMEWORKS)
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        model = delivery.train(Path(scratch) / "model")
        head = ("framework", *running.BUGS) if told.bugs else HEAD
        print(_row(head), _row(["---"] * len(head)), sep="\n", flush=True)
        for name in told.names or delivery.SERVICES:
            here = Path(scratch) / name
            if told.bugs:
                found = [running.bug(here / bug, python, name, model, bug) for bug in running.BUGS]
                wrong += any(each != "found" for each in found)
                print(_row([name, *found]), flush=True)
            else:
                wrong += not _clean(here, python, name, model, told.checks.split(","))
    return int(wrong > 0)


def _clean(here, python, name, model, checks):
    tried = running.clean(here, python, name, model, checks)
    verdict, findings = tried.verdict, tried.verdict.findings
    counts = [f"{sum(f.severity.value == s for f in findings)} {s}" for s in ("error", "warning", "info")]
    of = [running.outcome_of(verdict, check) if check in checks else "-" for check in CHECKS]
    print(_row([name, *of, len(delivery.ALLOW[name]), ", ".join(counts), f"{tried.seconds:.0f}"]), flush=True)
    for each in findings:
        print(f"    {each.check} {each.severity.value} {each.cause}: {each.message}")
    for each in verdict.not_evaluated:
        print(f"    {each.check} not evaluated: {each.reason}")
    return verdict.outcome is Outcome.PASS


def _row(cells):
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
