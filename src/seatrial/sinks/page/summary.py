"""The verdict in a few sentences that need no knowledge of the pipeline: what was tested, what broke, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.events import Finding, NotEvaluated, Outcome, Severity, Verdict
from seatrial.formatting import plural
from seatrial.sinks.outline import decisive, results

NAMED = 4  # places that a sentence names


def sentences(verdict: Verdict) -> tuple[str, ...]:
    """Return at most four sentences: what was tested, what was found and where, what it affects, and what to do.

    Example:
        >>> from seatrial.events import Case, Evaluated, Subject, total
        >>> events, planned = [Evaluated("golden", "features", compared=500)], [Case("golden", "features")]
        >>> verdict = total(events, subject=Subject("shop", "2"), path=["features"], planned=planned)
        >>> for sentence in sentences(verdict):
        ...     print(sentence)
        shop version 2 was compared with its training-time reference at 1 place of the path: 500 comparisons.
        Nothing differs beyond its tolerance, and every planned check was evaluated.
        The version may be promoted.
    """
    return tuple(s for s in (_tested(verdict), _found(verdict), _affects(verdict), _next(verdict)) if s)


def _tested(verdict: Verdict) -> str:
    every = results(verdict)
    compared = sum(r.compared for r in every)
    at = len({r.case.stage for r in every if r.evaluated and r.case.stage in verdict.path})
    where = f" at {plural(at, 'place')} of the path" if at else ""
    return (
        f"{verdict.subject} was compared with its training-time reference{where}: {plural(compared, 'comparison')}."
        if compared
        else f"{verdict.subject} could not be compared with its training-time reference."
    )


def _found(verdict: Verdict) -> str:
    origins = _origins(verdict)
    if verdict.outcome is Outcome.PASS:
        warned = sum(f.severity is Severity.WARNING for f in verdict.findings)
        remarks = f" There {'is' if warned == 1 else 'are'} {plural(warned, 'warning')}." if warned else ""
        return f"Nothing differs beyond its tolerance, and every planned check was evaluated.{remarks}"
    if origins:
        columns: dict[str, dict[str, None]] = {}
        for f in origins:
            columns.setdefault(_place(f, verdict), {}).update(dict.fromkeys([f"“{f.column}”"] if f.column else []))
        places = [
            f"{place}, {'column' if len(of) == 1 else 'columns'} {_listed(list(of))}" if of else place
            for place, of in columns.items()
        ]
        causes = "One cause was" if len(origins) == 1 else f"{len(origins):,} causes were"
        return f"{causes} found, at {_listed(places, '; ')}."
    many = len(verdict.not_evaluated)
    crashed = sum(n.crashed for n in verdict.not_evaluated)
    how = "could not be run" if crashed == many else "could not be evaluated"
    return f"No fault was found, but {plural(many, 'planned check')} {how}, so nothing can be said for sure."


def _affects(verdict: Verdict) -> str:
    follows = [f for f in verdict.errors if f.downstream]
    at = {f.stage for f in _origins(verdict)}
    places = [p for p in verdict.path if p not in at and any(f.stage == p for f in follows)]
    if not _origins(verdict):
        return ""
    if places:
        users = ", and so what users get" if places[-1] == verdict.path[-1] else ""
        change = (
            "It changes what comes after it" if len(_origins(verdict)) == 1 else "They change what comes after them"
        )
        return f"{change}: {_listed([f'“{p}”' for p in places])}{users}."
    if follows:
        return f"{plural(len(follows), 'further finding')} {'follows' if len(follows) == 1 else 'follow'} from that."
    return "Nothing else of the path was found to change with that."


def _next(verdict: Verdict) -> str:
    first = decisive(verdict)
    if verdict.outcome is Outcome.PASS:
        return "The version may be promoted."
    if isinstance(first, Finding):
        return f"The version is not promoted. Next: {first.advice}" if first.advice else "The version is not promoted."
    if isinstance(first, NotEvaluated):
        where = f"{first.stage} · {first.check}" if first.stage else first.check
        return f"The version is not promoted. Next, make this check run ({where}): {_ended(first.reason)}"
    return "The version is not promoted."


def _origins(verdict: Verdict) -> list[Finding]:
    return [f for f in verdict.errors if not f.downstream]


def _place(finding: Finding, verdict: Verdict) -> str:
    if finding.stage is None:
        return f"the check “{finding.check}” of the whole path"
    kind = "dependency" if finding.stage in verdict.dependencies else "stage"
    return "the running service" if finding.stage == "service" else f"{kind} “{finding.stage}”"


def _listed(items: Sequence[str], between: str = ", ") -> str:
    more = len(items) - NAMED
    shown = [*items[:NAMED], f"{more:,} more"] if more > 0 else list(items)
    return f"{between.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]


def _ended(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:].rstrip('.')}."
