"""The OpenAPI diff against the expectations of oasdiff's own tests.

    git clone https://github.com/oasdiff/oasdiff /tmp/oasdiff
    python tests/bench/bench_openapi.py /tmp/oasdiff [--show] [--check]

A case is a rule that one of oasdiff's tests expects to report two documents. The technical breaking changes are those
whose rule has the level ERR and is not about the life cycle (deprecation, sunset dates, stability levels, version
numbers), which is a policy of its own. Each is classed by the worst change that the diff finds on the rule's side.
Counted apart are the cases whose schemas allow the same values before and after, since oasdiff compares names there:
an equal alternative less in an anyOf, an equal part more in an allOf; and a part of an allOf that adds an optional
field, which oasdiff itself levels INFO when it is written without the allOf.
``--check`` ends with 1 when one of them is *compatible* or *nothing*, or more than 10 are *unknown*.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from oasdiff_cases import Case, Rule, cases

from seatrial.openapi.changes import Compat
from seatrial.openapi.diff import openapi_diff
from seatrial.openapi.references import resolve
from seatrial.openapi.silent import SILENT

NOTHING = "nothing"
CLASSES = (*(str(c.value) for c in Compat), NOTHING)
MOST_UNKNOWN = 10
COMBINED = tuple(f"{side}{what}" for side in ("Request", "Response") for what in (
    "BodyAllOf", "PropertyAllOf", "BodyAnyOf", "PropertyAnyOf"
))  # fmt: skip
OPTIONAL_FIELD_MORE = {("TestRequestPropertyAllOfAdded_WithSources_Inline", "RequestBodyAllOfAddedId")}


def classed(case: Case, rule: Rule) -> str:
    """Return the worst class of the changes on the side of the rule."""
    found = [c for c in openapi_diff(case.before, case.after) if rule.direction in ("none", c.side)]
    return next((c.value for c in Compat if any(f.compat is c for f in found)), NOTHING)


def same_values(case: Case, rule: Rule) -> bool:
    """Whether the bodies are the same once references are followed and equal alternatives and parts are dropped."""
    old, new = (_plain(document, document["paths"]) for document in (case.before, case.after))
    return old == new or (case.test, rule.name) in OPTIONAL_FIELD_MORE


def _plain(document: Any, node: Any, depth: int = 0) -> Any:
    node = resolve(document, node) if depth < 30 else None
    if isinstance(node, list):
        return [_plain(document, each, depth + 1) for each in node]
    if not isinstance(node, dict):
        return node
    out = {k: _plain(document, v, depth + 1) for k, v in node.items() if k not in SILENT}
    for word in ("anyOf", "allOf"):
        if isinstance(out.get(word), list):
            out[word] = sorted({json.dumps(each, sort_keys=True) for each in out[word]})
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkout", type=Path, help="the folder of a checkout of oasdiff")
    parser.add_argument("--show", action="store_true", help="list the cases that are not breaking")
    parser.add_argument("--check", action="store_true", help="end with 1 when a limit is missed")
    asked = parser.parse_args()
    found, left_out = cases(asked.checkout)
    counts: dict[tuple[str, str], Counter[str]] = {}
    for case in found:
        for rule in case.expected:
            kind = "life cycle" if rule.kind == "Lifecycle" else "technical"
            kind = "same values" if rule.name.startswith(COMBINED) and same_values(case, rule) else kind
            name = classed(case, rule)
            counts.setdefault((rule.level, kind), Counter())[name] += 1
            if asked.show and kind == "technical" and rule.level == "ERR" and name != "breaking":
                print(f"{name:<11} {rule.name} in {case.test}")
    print(f"{'level':<6} {'kind':<12}" + "".join(f"{c:>12}" for c in CLASSES) + f"{'all':>8}")
    for (level, kind), count in sorted(counts.items()):
        print(f"{level:<6} {kind:<12}" + "".join(f"{count[c]:>12}" for c in CLASSES) + f"{count.total():>8}")
    print(f"Left out: {len(left_out)} tests that make or loop over their documents in other ways.")
    breaking = counts.get(("ERR", "technical"), Counter())
    missed = not breaking or breaking[NOTHING] or breaking["compatible"] or breaking["unknown"] > MOST_UNKNOWN
    return int(bool(asked.check and missed))


if __name__ == "__main__":
    sys.exit(main())
