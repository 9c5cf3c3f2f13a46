"""Send a live dependency its recorded calls again; stale and evicted values show as differences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from seatrial.checks.findings import differences
from seatrial.checks.grouping import grouped
from seatrial.checks.side_by_side import keep_rows
from seatrial.errors import PipelineError
from seatrial.events import Evaluated, Event, Finding, Measurement, NotEvaluated
from seatrial.formatting import part_of
from seatrial.io.exact_json import ordered, same
from seatrial.parity.compare import compare
from seatrial.parity.result import Parity
from seatrial.reference.lookup import ROW, VALUE, Lookup
from seatrial.trial import Trial


def compare_live(trial: Trial, dependency: str, name: str) -> Iterator[Event]:
    """Compare the current answers of ``dependency`` with those recorded at capture, key by key."""
    from seatrial.checks.gx.judge import attachment, disagreement, judge_parity

    answers = trial.reference.answers(dependency)
    if not answers.size:
        yield NotEvaluated(name, dependency, f"dependency '{dependency}' was not called at capture")
        return
    compared, suites, results, problems = 0, {}, {}, []
    try:
        now = trial.replayer.ask(dependency, [*answers.lookups, *answers.calls])
        for lookup in answers.lookups.values():
            method = json.loads(lookup.call)[0]
            again = now.lookups[lookup.call]
            parity, how = _compare(lookup, again), f"{method}(…) asked again"
            keep_rows(trial, name, dependency, parity, _keyed(lookup.rows, lookup), _keyed(again, lookup), how)
            yield from (_for_dependency(f, dependency, method) for f in grouped(differences(name, dependency, parity)))
            suite = judge_parity(dependency, [parity.key, *_features(lookup)], parity)
            problem = suite.problem or ("" if parity.extra_columns else disagreement(None, suite, parity))
            problems += [problem] if problem else []
            suites[method], results[method] = suite.suite, [a.counts for a in suite.answers]
            compared += parity.rows_compared * max(1, len(parity.columns))
            if cells := parity.rows_compared * len(parity.columns):
                wrong = sum(c.mismatches + c.null_flips for c in parity.columns)
                yield Measurement(name, dependency, "mismatch_share", wrong / cells)
        changed = [c for c, was in answers.calls.items() if not same(now.calls[c], was)]
    except PipelineError as error:
        yield NotEvaluated(name, dependency, str(error))
        return
    if changed:
        yield Finding(
            name, dependency,
            f"Dependency '{dependency}' answers {part_of(len(changed), len(answers.calls), 'recorded calls')} "
            f"differently than at capture, {json.loads(changed[0])[0]}(…) among them.",
            cause="stale-values",
            advice="Find out which answer is correct. If it is the current one, capture the reference again.",
            evidence={"rows": len(answers.calls), "mismatches": len(changed)},
        )  # fmt: skip
    if suites:
        yield attachment(name, dependency, f"suites/{dependency}.json", suites)
        yield attachment(name, dependency, f"results/{dependency}.json", results)
    if problems:
        yield NotEvaluated(name, dependency, "; ".join(problems), crashed=True)
    else:
        yield Evaluated(name, dependency, compared=compared + len(answers.calls))


def _compare(lookup: Lookup, again: pd.DataFrame) -> Parity:
    return compare(_keyed(lookup.rows, lookup), _keyed(again, lookup), key=_key_name(lookup))


def _features(lookup: Lookup) -> list[str]:
    return [str(c) for c in lookup.rows.columns if c not in (*lookup.on, ROW)]


def _key_name(lookup: Lookup) -> str:
    return " / ".join(lookup.on)


def _keyed(rows: pd.DataFrame, lookup: Lookup) -> pd.DataFrame:
    """Return the rows with one text key, made of the key columns, and of the position where a key has several rows."""
    key = rows[lookup.on[0]].astype(str)
    for column in lookup.on[1:]:
        key = key + " / " + rows[column].astype(str)
    key = key.where(rows[ROW] == 0, key + " #" + rows[ROW].astype(str))
    plain = rows.drop(columns=[*lookup.on, ROW])
    if lookup.kind in {"dict", "list"}:  # as JSON text, in which the order of names is not meant
        plain[VALUE] = plain[VALUE].map(ordered, na_action="ignore").astype("string")
    plain.insert(0, _key_name(lookup), key.astype(str))
    return plain


def _for_dependency(finding: Finding, dependency: str, method: str) -> Finding:
    """Return the finding with the causes and advice for a dependency: stale values and expired keys, not code."""
    causes = {None: "stale-values", "missing-keys": "evicted-keys"}
    cause = causes.get(finding.cause, finding.cause)
    advice = {
        "evicted-keys": f"Check '{dependency}' for an expiry time or a failed load; it had these keys at capture.",
    }.get(
        cause or "",
        f"Compare the current values of '{dependency}' with those at training: check when it was last loaded, and from "
        "where.",
    )
    return replace(finding, message=f"{method}(…): {finding.message}", cause=cause, advice=advice)
