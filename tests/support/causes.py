"""The causes that the code can give a finding, read from its text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.support.paths import ROOT

LIBRARY = ROOT / "src" / "seatrial"
PLACES = ("checks", "parity", "reference", "targets/shapes", "targets/probes")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Where the cause stands among the arguments of what makes a finding, or of what becomes one.
POSITIONS = {
    "Cause": 0, "cause": 0, "Guess": 0, "Problem": 0, "Variation": 0, "Violation": 0, "ChatProblem": 0, "Probe": 0,
    "ExampleMismatch": 1, "SemanticShift": 1, "SignatureMismatch": 1, "finding": 1, "Explanation": 0,
}  # fmt: skip
OF_MODULE = {"checks/contract/consumers.py": {"_finding": 3}}
YIELDED = ("targets/probes/records.py", "checks/golden/explain.py")  # where tuples are yielded that begin with a cause
VARIABLES = ("cause", "causes", "slug", "_FORMS", "_TWISTS", "CHANGES", "SETTINGS", "CRITERIA")
# Causes that are put together, by the text that puts them together.
JOINED = {
    "f\"{cause.removesuffix('-keys')}-keys\"": ("missing-keys", "extra-keys", "duplicates-keys", "null-keys"),
    "f'{name}-round-trip'": ("float32-round-trip", "float16-round-trip", "bfloat16-round-trip"),
    "f'openapi-{change.kind}'": ("openapi-KIND",),
    "f'status-{status}'": ("status-NNN",),
    "f'status-{result.status}'": ("status-NNN",),
    "f'status-{response.status}'": ("status-NNN",),
    "f'status-{outcome.status}'": ("status-NNN",),
    "f'status-{failure.status}'": ("status-NNN",),
    "most.replace(' ', '-')": ("status-NNN",),
}
# Handed on as it came: where it was made is looked at there.
HANDED_ON = {
    "None", "PROCESS.cause", "best.name", "c.cause.name", "cause", "cause.name", "criterion", "each.criterion", "error",
    "causes.get(finding.cause, finding.cause)", "explanation.cause", "finding.cause", "mismatch.cause", "name",
    "naming.name(ColumnChange(str(name), e, a, cells.rows, cells.flips, elsewhere, inputs.nulls))", "probe.cause",
    "problem.cause", "setting", "shift.cause", "slug", "told.cause", "variation.cause",
}  # fmt: skip
NEVER_SHOWN = {
    "request", "generated", "text",  # causes of probes that no answer can make a finding of their own
    "extra", "duplicates", "log-base",  # on their way to another name
}  # fmt: skip


def emitted() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return each cause with the modules that name it, and each expression that is not understood with its modules."""
    found: dict[str, set[str]] = {}
    unknown: dict[str, set[str]] = {}
    for folder in PLACES:
        place = LIBRARY / folder
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            module = str(path.relative_to(LIBRARY))
            for node in _nodes(tree, module):
                for text, known in _strings(node, _constants(tree)):
                    (found if known else unknown).setdefault(text, set()).add(module)
    return {cause: where for cause, where in found.items() if cause not in NEVER_SHOWN}, unknown


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    return {t.id: node.value for node in tree.body if isinstance(node, ast.Assign) for t in node.targets
            if isinstance(t, ast.Name) and isinstance(node.value, ast.Constant)}  # fmt: skip


def _nodes(tree: ast.Module, module: str) -> Iterator[ast.expr]:
    """Yield each expression of the text whose value becomes a cause."""
    positions = {**POSITIONS, **OF_MODULE.get(module, {})}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (k.value for k in node.keywords if k.arg in ("cause", "criterion"))
            at = positions.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
            if at is not None and len(node.args) > at:
                yield node.args[at]
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from _assigned(target, node.value)
        elif isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple) and isinstance(node.target, ast.Tuple):
            for each in node.iter.elts:
                yield from _assigned(node.target, each)
        elif module.startswith(YIELDED) and isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
            yield node.value.elts[0]


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for one, other in zip(target.elts, value.elts, strict=True):
            yield from _assigned(one, other)
    elif isinstance(target, ast.Name) and target.id in VARIABLES:
        yield from _members(target.id, value)


def _members(name: str, value: ast.expr) -> Iterator[ast.expr]:
    if isinstance(value, ast.Dict):
        yield from value.values if name == "causes" else (key for key in value.keys if key is not None)
    elif isinstance(value, ast.Tuple):
        yield from (each.elts[0] if isinstance(each, ast.Tuple) else each for each in value.elts)
    else:
        yield value


def _strings(node: ast.expr, names: dict[str, ast.expr]) -> Iterator[tuple[str, bool]]:
    """Yield the texts that an expression can be, and whether each is understood."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, SLUG.fullmatch(node.value) is not None
    elif isinstance(node, ast.IfExp | ast.BoolOp):
        for value in [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values:
            yield from _strings(value, names)
    elif isinstance(node, ast.Name) and node.id in names:
        yield from _strings(names[node.id], names)
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Cause":
        return  # its own argument is looked at
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "replace":  # of a cause, by another detail
        yield from _strings(node.args[0], names)
    elif (text := ast.unparse(node)) in JOINED:
        yield from ((cause, True) for cause in JOINED[text])
    elif text not in HANDED_ON:
        yield text, False
