"""Ask a live dependency again for everything it answered at capture: stale and evicted values show as differences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from seatrial.checks.findings import differences
from seatrial.errors import PipelineError
from seatrial.events import Evaluated, Event, Finding, Measurement, NotEvaluated
from seatrial.parity.compare import compare
from seatrial.parity.result import Parity
from seatrial.pipeline import describe
from seatrial.reference.lookup import ROW, Lookup
from seatrial.reference.recording import answers_otherwise, ask_again
from seatrial.trial import Trial


def ask_live(trial: Trial, dependency: str, name: str) -> Iterator[Event]:
    """Compare what ``dependency`` answers today with what it answered at capture, key by key."""
    from seatrial.checks.gx.judge import attachment, disagreement, judge_parity

    answers = trial.reference.answers(dependency)
    if not answers.size:
        yield NotEvaluated(name, dependency, f"nothing was asked of '{dependency}' at capture")
        return
    compared, suites, results, problems = 0, {}, {}, []
    try:
        client = trial.pipeline.connect(dependency)[dependency]
        for lookup in answers.lookups.values():
            method = json.loads(lookup.call)[0]
            parity = _compare(lookup, ask_again(dependency, client, lookup))
            yield from (_of_dependency(f, dependency, method) for f in differences(name, dependency, parity))
            ran = judge_parity(dependency, [parity.key, *_features(lookup)], parity)
            told = ran.problem or ("" if parity.extra_columns else disagreement(None, ran, parity))
            problems += [told] if told else []
            suites[method], results[method] = ran.suite, [a.counts for a in ran.answers]
            compared += parity.rows_compared * max(1, len(parity.columns))
            if cells := parity.rows_compared * len(parity.columns):
                wrong = sum(c.mismatches + c.null_flips for c in parity.columns)
                yield Measurement(name, dependency, "mismatch_share", wrong / cells)
        changed = [c for c, was in answers.calls.items() if answers_otherwise(dependency, client, c, was)]
    except PipelineError as error:
        yield NotEvaluated(name, dependency, str(error))
        return
    except Exception as error:  # noqa: BLE001  whatever its client raises, it cannot be asked
        yield NotEvaluated(name, dependency, f"'{dependency}' could not be asked again: {describe(error)}")
        return
    if changed:
        yield Finding(
            name, dependency,
            f"'{dependency}' answers {len(changed):,} of {len(answers.calls):,} recorded calls differently than at "
            f"training, {json.loads(changed[0])[0]}(…) among them.",
            cause="stale-values", advice="Find out which of the two is right before users do.",
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
    """Return the rows with one text key: the key columns, and the position where a key has several rows."""
    key = rows[lookup.on[0]].astype(str)
    for column in lookup.on[1:]:
        key = key + " / " + rows[column].astype(str)
    key = key.where(rows[ROW] == 0, key + " #" + rows[ROW].astype(str))
    plain = rows.drop(columns=[*lookup.on, ROW])
    plain.insert(0, _key_name(lookup), key.astype(str))
    return plain


def _of_dependency(finding: Finding, dependency: str, method: str) -> Finding:
    """Say it of a dependency: its values grow old and its keys expire; there is no code of a stage to look at."""
    causes = {None: "stale-values", "missing-keys": "evicted-keys"}
    cause = causes.get(finding.cause, finding.cause)
    advice = {
        "evicted-keys": f"'{dependency}' had these keys at training: look for an expiry time or a failed load.",
    }.get(
        cause or "",
        f"Compare '{dependency}' with what training was given: look at when it was last loaded, and from where.",
    )
    return replace(finding, message=f"{method}(…): {finding.message}", cause=cause, advice=advice)
