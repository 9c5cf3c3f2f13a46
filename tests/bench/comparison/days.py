"""How often tools fail where nothing is wrong: ``python tests/bench/comparison/days.py --work DIR [--days 20]``.

On each day 300 other customers ask a service whose code is right. Needs the folder in which ``run.py`` trained.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "conformance")]

from environments import environment, interpreter  # noqa: E402
from subject import ROWS, Subject  # noqa: E402
from tools import TOOLS, asked_of_data, result_of  # noqa: E402

RECORD = """
import joblib, train, traffic
for seed in range(100, 100 + {days}):
    asked = traffic.requests({rows}, seed)
    train.recorded(f"day-{{seed}}", asked, joblib.load("model.pkl"), traffic.outcomes(asked, seed))
"""


def main() -> None:
    """Print a line for each tool that looks at traffic."""
    read = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    read.add_argument("--work", type=Path, required=True, help="the folder of run.py")
    read.add_argument("--days", type=int, default=20)
    told = read.parse_args()
    subject = Subject(told.work.resolve() / "project", "http://127.0.0.1:1")
    done = subject.run(sys.executable, "-c", RECORD.format(days=told.days, rows=ROWS))
    assert done.returncode == 0, done.stderr[-2000:]
    files = {path.name: path for path in sorted((subject.root / "recorded").glob("day-*_served.csv"))}
    for tool in (tool for tool in TOOLS if tool.traffic):
        python = environment(*tool.packages, base=interpreter(tool.python))
        results = [result_of(*each) for each in asked_of_data(tool, str(python), subject, files).values()]
        named = sorted({name for each in results for name in each.named})
        print(
            f"{tool.name}: fails on {sum(r.failed for r in results)} of {len(results)} days; names {', '.join(named)}"
        )


if __name__ == "__main__":
    main()
