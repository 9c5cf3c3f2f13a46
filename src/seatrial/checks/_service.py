"""Golden over the wire: the live service's answers against the record and against the path in process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from seatrial import jsonform
from seatrial.checks._differences import differences, share
from seatrial.checks._why import Why, explain
from seatrial.checks._wire import NAMED, Told, ask_service, request_keys, takes_batches
from seatrial.errors import AnswerError, StageError, TargetError
from seatrial.events import Event, Finding, Judged, Measured, Severity, Unjudged
from seatrial.parity import ColumnParity, Parity, compare
from seatrial.pipeline import SERVICE
from seatrial.targets.live import Live, live
from seatrial.trial import Trial

DOUBTFUL = 50  # requests that differ in a batch and are then asked alone


@dataclass(frozen=True)
class Sides:
    """What the live answers are compared with, both as JSON carries them.

    Attributes:
        stage: whose frame the service answers.
        requests: what is sent, one row a request.
        keys: the key of each request.
        recorded: what training saw.
        in_process: what the path gives here and now; None where it broke.
    """

    trial: Trial
    stage: str
    requests: pd.DataFrame
    keys: Sequence[Any]
    recorded: pd.DataFrame
    in_process: pd.DataFrame | None

    @property
    def whole(self) -> bool:
        """Whether the service answers for the whole path."""
        return self.stage == self.trial.pipeline.stages[-1]

    def compare(self, expected: pd.DataFrame, actual: pd.DataFrame) -> Parity:
        """Compare within the tolerances of the stage."""
        key = self.trial.pipeline.key
        known = set(expected.columns) - {key}
        tolerances, floors = self.trial.policy.of(self.stage).tolerances, self.trial.reference.noise.get(self.stage, {})
        return compare(
            expected,
            actual,
            key=key,
            tolerances={c: t for c, t in tolerances.items() if c in known},
            floors={c: f for c, f in floors.items() if c in known},
        )


@dataclass(frozen=True)
class Seen:
    """One way of asking, and how its answers compare."""

    told: Told
    answers: pd.DataFrame
    recorded: Parity
    in_process: Parity | None

    @property
    def wrong(self) -> list[str]:
        """The columns that differ from the record."""
        return [c.column for c in self.recorded.columns if not c.ok]


def ask(trial: Trial, name: str) -> Iterator[Event]:
    """Compare what the live service answers to the reference's requests with what training saw."""
    try:
        service = live(trial)
        sides = _sides(trial, service)
    except AnswerError as error:
        yield Finding(
            name, SERVICE, str(error), cause="service-broke", advice="Start it by hand with the same command."
        )
        yield Judged(name, SERVICE, compared=1)
        return
    except TargetError as error:
        yield Unjudged(name, SERVICE, str(error))
        return
    ways = _ask_both(sides, service)
    for told in (way.told for way in ways):
        yield from _troubles(name, told, len(sides.requests), service)
    yield from _differences(name, sides, ways)
    yield from _wide(name, ways, trial.policy.golden.wide_integers)
    yield from _undeclared(name, ways, sides)
    compared = sum(len(way.answers) * max(1, len(way.recorded.columns)) for way in ways)
    for way in ways:
        yield Measured(name, SERVICE, f"answers {way.told.way}", len(way.answers), "rows")
    away = [way.told.away for way in ways if way.told.away]
    unsent = sum(way.told.unsent for way in ways)
    if away and service.running.ended() is None:
        yield Unjudged(name, SERVICE, away[0])
    elif unsent and not any(way.told.troubles or way.told.away for way in ways):
        yield Unjudged(name, SERVICE, f"{unsent:,} requests could not be sent in time")
    else:
        broken = any(way.told.troubles for way in ways) or bool(away)
        yield Judged(name, SERVICE, compared=max(compared, int(broken)))


def _sides(trial: Trial, service: Live) -> Sides:
    stage = service.service.serves or trial.pipeline.stages[-1]
    whole = service.service.serves is None
    varying = set(trial.policy.golden.varying)
    requests = trial.reference.requests if whole else trial.reference.input_of(trial.pipeline.stage(stage).name)
    try:
        here: pd.DataFrame | None = trial.chained(stage) if whole else trial.isolated(stage)
    except StageError:
        here = None
    recorded = trial.reference.frame(stage)
    return Sides(
        trial,
        stage,
        requests,
        request_keys(requests, trial.pipeline.key, trial.reference.frame(trial.pipeline.stages[0])),
        jsonform.projected(recorded[[c for c in recorded.columns if c not in varying]]),
        None if here is None else jsonform.projected(here[[c for c in here.columns if c not in varying]]),
    )


def _ask_both(sides: Sides, service: Live) -> list[Seen]:
    """Ask in batches where the service takes them, and one by one: all, or a sample and what the batches got wrong."""
    golden = sides.trial.policy.golden
    rows = list(range(len(sides.requests)))
    if not takes_batches(service.target):
        return [_ask(sides, service, rows)]
    batched = _ask(sides, service, rows, golden.batch)
    if service.running.ended() is not None or batched.told.away:
        return [batched]
    drawn = np.random.default_rng(sides.trial.seed).permutation(len(rows))[: golden.singles].tolist()
    worst = {k for c in batched.recorded.columns if not c.ok for k in c.worst_keys}
    unanswered = {str(k) for trouble in batched.told.troubles.values() for k in trouble.keys[:DOUBTFUL]}
    doubtful = [n for n in rows if str(sides.keys[n]) in worst | unanswered][:DOUBTFUL]
    return [batched, _ask(sides, service, sorted({*drawn, *doubtful}))]


def _ask(sides: Sides, service: Live, rows: list[int], batch: int = 1) -> Seen:
    trial, key = sides.trial, sides.trial.pipeline.key
    told = ask_service(service.target, sides.requests.iloc[rows], [sides.keys[n] for n in rows], key, batch)
    answers = jsonform.read(_renamed(told.answers, sides), sides.recorded)
    if not len(answers):
        answers = sides.recorded.iloc[:0]
    answers = answers[[c for c in answers.columns if c not in trial.policy.golden.varying]]
    lost = {k for trouble in told.troubles.values() for k in map(str, trouble.keys)}
    asked = {str(sides.keys[n]) for n in rows} - lost
    if told.unsent:
        asked &= {str(k) for k in answers[key]}

    def part(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame[key].astype(str).isin(asked)] if len(asked) < len(frame) else frame

    here = None if sides.in_process is None else sides.compare(part(sides.in_process), answers)
    return Seen(told, answers, sides.compare(part(sides.recorded), answers), here)


def _renamed(answers: list[dict[str, Any]], sides: Sides) -> list[dict[str, Any]]:
    """Name the outputs of a model's server, which carry names of its own, as the stage does, by position."""
    key = sides.trial.pipeline.key
    wanted = [c for c in sides.recorded.columns if c != key]
    if not answers:
        return answers
    told = [c for c in answers[0] if c != key]
    if set(told) & set(wanted) or len(told) != len(wanted):
        return answers
    names = dict(zip(told, wanted, strict=True))
    return [{names.get(c, c): v for c, v in answer.items()} for answer in answers]


def _troubles(name: str, told: Told, asked: int, service: Live) -> Iterator[Finding]:
    for trouble in told.troubles.values():
        status = trouble.status
        yield Finding(
            name, SERVICE,
            f"Asked {told.way}, {share(len(trouble.keys), asked)} got no answer that can be used. {trouble.message}",
            cause=f"status-{status}" if status else "no-answer",
            advice="Send one of these requests by hand and read the service's log."
            if status >= 500 or not status
            else "The service refuses what training was given: look at what it validates.",
            evidence={"rows": asked, "missing": len(trouble.keys), "keys": [str(k) for k in trouble.keys[:NAMED]]},
        )  # fmt: skip
    how = service.running.ended()
    if how is not None and (told.away or told.unsent):
        yield Finding(
            name, SERVICE,
            f"The service ended with {how} after {len(told.answers):,} answers {told.way}. {service.running.tail()}",
            cause="service-died", advice="Look for what ended it: memory, a limit, or a request it did not survive.",
            evidence={"rows": asked, "missing": told.unsent},
        )  # fmt: skip


def _differences(name: str, sides: Sides, ways: Sequence[Seen]) -> Iterator[Finding]:
    told: set[str | None] = set()
    for way in ways:
        if way.told.moved:
            yield Finding(
                name, SERVICE, f"{way.told.moved:,} batches were answered in another order than they were asked.",
                severity=Severity.WARNING, cause="row-order",
                advice="Callers that read the answers by position get each other's.",
            )  # fmt: skip
        if not len(way.answers):
            continue
        other = next((w for w in ways if w is not way and len(w.answers)), None)
        why = explain(sides.trial, way.answers, way.wrong, SERVICE) if _own(way) and sides.whole else None
        for finding in differences(name, SERVICE, way.recorded):
            if finding.cause == "column-order":  # an object has none
                continue
            same_in_other = other is not None and (finding.column in other.wrong or not finding.column)
            if same_in_other and finding.column in told:
                continue
            told.add(finding.column)
            yield _placed(finding, sides, way, other, why)


def _own(way: Seen) -> bool:
    """Whether the service differs by itself, in values that nothing has explained yet."""
    return any(not c.ok and not _propagated(way, c.column) for c in way.recorded.columns)


def _propagated(way: Seen, column: str | None) -> bool:
    """Whether the path in process gives the same as the service: then the difference is not of the wire."""
    if way.in_process is None:
        return False
    if column is None:
        return False
    return any(c.column == column and c.ok for c in way.in_process.columns)


def _placed(finding: Finding, sides: Sides, way: Seen, other: Seen | None, why: Why | None) -> Finding:
    """Say which pair differs, whether it is the wire's, the batch's or an earlier stage's, and why."""
    column = next((c for c in way.recorded.columns if c.column == finding.column), None)
    here = _column(way.in_process, finding.column)
    evidence = {**finding.evidence, "way": way.told.way}
    if column is None or finding.severity is not Severity.ERROR:
        advice = finding.advice
        if finding.cause == "extra-column":
            advice += " Name it in [golden] varying of service.toml if it must differ from answer to answer."
        return replace(finding, evidence=evidence, advice=advice)
    evidence["recorded_live"] = column.mismatches + column.null_flips
    said = f"Asked {way.told.way}: {finding.message}"
    if here is not None:
        evidence["in_process_live"] = here.mismatches + here.null_flips
    if _propagated(way, finding.column):
        message = f"{said} The path in process gives the same: the wire is not to blame."
        advice = f"It began before '{SERVICE}': start with the stages."
        return replace(finding, message=message, evidence=evidence, advice=advice, propagated=True)
    if here is not None:
        third = _third(sides, finding.column)
        said += " In process the same requests give " + ("a third answer." if third else "what training saw.")
    cause, advice, place = finding.cause, finding.advice, SERVICE
    if other is not None and finding.column not in other.wrong and _common(way, other):
        alone = "one by one" if way.told.way != "one by one" else "in batches"
        said += f" Asked {alone}, they are answered as at training."
        cause = cause if cause in ("misaligned-rows", "sorted-rows", "shifted-rows") else "batch-effect"
        advice = "Look for what depends on the other rows of a request: ranks, means, padding, or a loop that stops."
    elif why is not None and finding.column in why.columns:
        said, cause, advice, place = f"{said} {why.words}", why.cause, why.advice, why.place
    else:
        advice = f"Compare how the service and the path in process make '{finding.column}' of the keys named here."
    return replace(finding, message=said, cause=cause, advice=advice, stage=place, evidence=evidence)


def _column(parity: Parity | None, name: str | None) -> ColumnParity | None:
    return next((c for c in parity.columns if c.column == name), None) if parity is not None else None


def _third(sides: Sides, column: str | None) -> bool:
    """Whether the path in process differs from the record in this column as well."""
    if sides.in_process is None or column is None or column not in sides.in_process.columns:
        return False
    key = sides.trial.pipeline.key
    parity = sides.compare(sides.recorded[[key, column]], sides.in_process[[key, column]])
    return not parity.ok


def _common(way: Seen, other: Seen) -> bool:
    """Whether some of the rows that differ this way were asked the other way too."""
    asked = {str(k) for k in other.answers[other.recorded.key]}
    return any(k in asked for c in way.recorded.columns if not c.ok for k in c.worst_keys)


def _wide(name: str, ways: Sequence[Seen], allowed: Sequence[str]) -> Iterator[Finding]:
    found = jsonform.beyond_safe(answer for way in ways for answer in way.told.answers)
    for column, count in found.items():
        if column not in allowed:
            yield Finding(
                name, SERVICE,
                f"'{column}' is sent as a JSON number beyond 2^53 in {count:,} answers: every reader of doubles, "
                "browsers among them, loses its last digits.",
                column=column, cause="json-integer", evidence={"rows": count},
                advice=f"Send '{column}' as text, or name it in [golden] wide_integers of service.toml if every "
                "consumer reads whole integers.",
            )  # fmt: skip


def _undeclared(name: str, ways: Sequence[Seen], sides: Sides) -> Iterator[Finding]:
    """Say which field declared as varying never came: it may be misspelt."""
    golden = sides.trial.policy.golden
    there = {c for way in ways for answer in way.told.answers[:100] for c in answer}
    there |= set(sides.trial.reference.frame(sides.stage).columns)
    for missing in (c for c in golden.varying if there and c not in there):
        yield Finding(
            name, SERVICE, f"'{missing}' is declared to vary and is in no answer.", column=missing,
            severity=Severity.WARNING, cause="policy", advice="Correct [golden] varying in service.toml.",
        )  # fmt: skip
