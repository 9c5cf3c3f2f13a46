"""What was measured, kept in a file."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from faults import FAULTS, Fault
from tools import Result, Tool, beyond

CLEAN = next(fault for fault in FAULTS if fault.name == "clean")


class Results:
    """The results by fault and tool, in a file of a folder."""

    def __init__(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.work, self.path = work, work / "results.json"
        stored = json.loads(self.path.read_text(encoding="utf-8")) if self.path.is_file() else {}
        self.found = {(fault, tool): Result(**each) for fault, tool, each in stored}

    def get(self, fault: Fault, tool: Tool) -> Result | None:
        """Return a result; a tool that does not look at traffic sees the clean code where only traffic differs."""
        looked = CLEAN if fault.traffic and not tool.traffic else fault
        found, clean = (self.found.get((name, tool.name)) for name in (looked.name, CLEAN.name))
        compared = found and clean and tool.packages and looked.red and not looked.traffic
        return beyond(found, clean) if compared else found

    def has(self, fault: Fault, tool: Tool) -> bool:
        """Return whether there is a result."""
        return self.get(fault, tool) is not None

    def put(self, fault: Fault, tool: Tool, result: Result) -> None:
        """Keep a result."""
        self.found[fault.name, tool.name] = result
        self.path.write_text(json.dumps([[*key, asdict(each)] for key, each in self.found.items()], indent=1))
        print(f"{fault.name} | {tool.name}: {'failed' if result.failed else 'green'} {result.named}", file=sys.stderr)
