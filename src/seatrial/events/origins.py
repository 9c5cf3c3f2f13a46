"""One cause, one origin: which errors of a run follow from another one of it.

Several checks meet the same cause, each in its own way. Here is decided, by what they state and never by chance, which
of their errors says it best; the others stay in the verdict, marked as downstream of it. An error that no rule connects
with another one is an origin, so a second cause is never hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from seatrial.events.event import Finding, Severity

SERVICE = "service"
EXITS = ("service-broke", "service-died")
LAYOUT = ("missing-column", "renamed-column", "extra-column")
BY_BATCH = ("batch-dependent", "row-dependent", "order-dependent")
HANGING = ("circuit-breaker", "unaffected", "recovery", "leak", "pool")
MORE = 1.5, 0.05  # how much more often an error may be under load than without, as a factor and a share, for one cause


def with_origins(findings: Sequence[Finding], path: Sequence[str]) -> tuple[Finding, ...]:
    """Return the findings, origins first, remarks next, and last what follows from an origin.

    Args:
        findings: of all checks. Those that a check knows to follow from an earlier place are marked already, with its
            name in ``evidence["origin"]``.
        path: the places of the path in order.

    Returns:
        The same findings. A finding's number is its place here, counted from 1; ``evidence["follows"]`` of a downstream
        one is the number of its origin, where that is known.

    Example:
        >>> broke = Finding("expectations", "features", "Stage 'features' raised KeyError.", cause="stage-broke")
        >>> again = Finding("invariants", "features", "Stage 'features' raised KeyError.", cause="stage-broke")
        >>> [(f.check, f.downstream) for f in with_origins([broke, again], ["raw", "features"])]
        [('expectations', False), ('invariants', True)]
    """
    errors = [n for n, f in enumerate(findings) if f.severity is Severity.ERROR]
    before: dict[str | None, int] = {place: n for n, place in enumerate(path)}
    leads: dict[int, int] = {}
    for b in errors:
        for a in errors:
            if a != b and _root(leads, a) != b and _follows(findings[b], findings[a], before, earlier=a < b):
                leads[b] = a
                break
    marked = [replace(f, downstream=True) if n in leads else f for n, f in enumerate(findings)]
    marked = _with_an_origin(marked, errors, before)
    origins = [n for n in errors if not marked[n].downstream]
    origin_at: dict[str | None, int] = {}
    for n in origins:
        origin_at.setdefault(marked[n].stage, n)
    order = sorted(range(len(marked)), key=lambda n: _rank(marked[n]))
    number = {n: at for at, n in enumerate(order, start=1)}

    def numbered(n: int) -> Finding:
        finding = marked[n]
        if not finding.downstream:
            return finding
        lead = _root(leads, n) if n in leads else n
        if marked[lead].downstream:
            only = next(iter(origins)) if len(origins) == 1 else -1
            lead = origin_at.get(marked[lead].evidence.get("origin"), only)
        evidence = {k: v for k, v in finding.evidence.items() if k not in ("pictures", "origin")}
        return replace(finding, evidence=evidence | ({"follows": number[lead]} if lead in number else {}))

    return tuple(numbered(n) for n in order)


def _root(leads: Mapping[int, int], n: int) -> int:
    while n in leads:
        n = leads[n]
    return n


def _rank(finding: Finding) -> int:
    """Return where a finding comes: what to mend, what to know, and what is mended with the first."""
    if finding.severity is Severity.ERROR:
        return 3 if finding.downstream else 0
    return 1 if finding.severity is Severity.WARNING else 2


def _with_an_origin(findings: list[Finding], errors: Sequence[int], before: Mapping[str | None, int]) -> list[Finding]:
    """Make the first error an origin where none is: the check that tells its cause better did not run."""
    if not errors or not all(findings[n].downstream for n in errors):
        return findings
    first = min(errors, key=lambda n: before.get(findings[n].stage, len(before)))
    stage = findings[first].stage
    named = [n for n in errors if findings[n].stage == stage and not _elsewhere(findings[n])] or [first]
    return [replace(f, downstream=False) if n in named else f for n, f in enumerate(findings)]


def _elsewhere(finding: Finding) -> bool:
    """Whether a finding names another place, or another column of its own, that it follows from."""
    return finding.evidence.get("origin", finding.stage) != finding.stage or "with" in finding.evidence


def columns_of(finding: Finding) -> frozenset[str]:
    """Return the columns that a finding is about."""
    listed = finding.evidence.get("columns")
    if isinstance(listed, list | tuple):
        return frozenset(map(str, listed))
    return frozenset([finding.column] if finding.column is not None else [])


Rule = Callable[[Finding, Finding], bool]


def _follows(b: Finding, a: Finding, before: Mapping[str | None, int], *, earlier: bool) -> bool:
    """Whether ``b`` follows from ``a``; ``earlier``: it was found after it."""
    if b.downstream:
        return False
    if earlier and not a.downstream and any(rule(a, b) for rule in SAME):
        return True
    if before.get(a.stage, -1) < before.get(b.stage, -1) and _made_again(a, b):
        return True
    return any(rule(a, b) for rule in CONSEQUENCES)


def _same_error(a: Finding, b: Finding) -> bool:
    """A stage that raises does so in every check."""
    return a.stage == b.stage and a.cause == b.cause == "stage-broke"


def _same_exit(a: Finding, b: Finding) -> bool:
    """A service that does not start, or ended, is not there for any check."""
    return a.check != b.check and a.cause == b.cause and a.cause in EXITS


def _made_again(a: Finding, b: Finding) -> bool:
    """Each stage by itself makes the same change to the same columns, as code that all of them call does."""
    alike = a.check == b.check == "expectations" and a.cause == b.cause is not None
    return alike and a.evidence.get("how") == b.evidence.get("how") and columns_of(a) == columns_of(b) != frozenset()


def _unsteady(a: Finding, b: Finding) -> bool:
    """What is other each time, or in another batch, differs from the reference too, and from the service."""
    if a.check != "invariants" or b.check not in ("expectations", "golden"):
        return False
    if b.stage == SERVICE:
        return a.cause in BY_BATCH and b.cause == "batch-effect"
    return a.stage == b.stage and bool(columns_of(b)) and columns_of(b) <= columns_of(a)


def _also_under_load(a: Finding, b: Finding) -> bool:
    """The service answers as wrongly, or as seldom, without load."""
    if (a.check, b.check, a.stage, b.stage) != ("golden", "load", SERVICE, SERVICE):
        return False
    if b.cause == "load-changes-answers":
        alike = b.column in columns_of(a)
    else:
        alike = b.cause == a.cause and (str(a.cause).startswith("status-") or a.cause == "no-answer")
    most = _share(a) * MORE[0] + MORE[1]
    return alike and _share(b) <= most


def _share(finding: Finding) -> float:
    evidence = finding.evidence
    part = max((float(evidence.get(n, 0) or 0) for n in ("missing", "mismatches", "missed")), default=0.0)
    whole = float(evidence.get("rows", 0) or 0)
    return 1.0 if finding.cause in LAYOUT else part / whole if whole else 0.0


def _probed_too(a: Finding, b: Finding) -> bool:
    """The contract meets what golden met: the same status, or the same field in the answers to the same requests."""
    if (a.check, b.check, b.stage) != ("golden", "contract", SERVICE) or a.stage != SERVICE:
        return False
    recorded = bool(b.evidence.get("recorded_requests")) or _share(a) == 1
    if str(b.cause).startswith("status-"):
        return b.cause == a.cause and (recorded or (b.column is not None and b.column in a.evidence.get("fields", ())))
    return b.cause == "answer-shape" and recorded and (a.cause in LAYOUT or a.cause in ("dtype", "dtype-coercion"))


def _together(a: Finding, b: Finding) -> bool:
    """What a service does not bear of one dependency it does not bear of several at once."""
    of_all = a.check == b.check == "resilience" and b.stage == SERVICE != a.stage
    return of_all and a.cause == b.cause


def _hangs(a: Finding, b: Finding) -> bool:
    """Where calls have no deadline, what waits behind them is late, piles up and does not recover either."""
    here = a.check == b.check == "resilience" and a.stage == b.stage
    under = set(b.evidence.get("faults", ())) <= set(a.evidence.get("faults", ()))
    late = b.cause in HANGING and (b.cause != "unaffected" or bool(b.evidence.get("timed")))
    return here and a.cause == "deadline" and late and under


SAME: tuple[Rule, ...] = (_same_error, _same_exit)
"""Two findings that state the same: the one that was found first is the origin."""

CONSEQUENCES: tuple[Rule, ...] = (_unsteady, _also_under_load, _probed_too, _together, _hangs)
"""The second finding follows from the first, in whatever order they were found."""
