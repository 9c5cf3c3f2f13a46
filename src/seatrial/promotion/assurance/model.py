"""The evidence of a version, as JSON: one strict model, whose JSON Schema is published."""

from __future__ import annotations

from typing import Literal

from seatrial.policy.settings import List, Settings, setting
from seatrial.promotion.assurance.mapping import Section as SectionName

FORMAT = 1
Outcome = Literal["pass", "fail", "inconclusive", "error"]
State = Literal["passed", "warning", "failed (origin)", "downstream", "not evaluated"]
Status = Literal["partly supported", "not counted", "failed", "inconclusive", "not assessed"]
Coverage = Literal["covered", "partly", "no"]


class Version(Settings):
    """The registered version."""

    uri: str = setting(says="Its address in the registry.", example="models:/payments/1")
    model: str = setting(says="The name of the registered model.")
    version: str = setting(says="Its number.")
    registry: str = setting(says="The address of the registry.")
    created: str = setting(says="When it was registered, UTC in ISO 8601.", example="2026-11-30T09:00:00Z")


class Run(Settings):
    """The validation that the evidence is of."""

    outcome: Outcome = setting(says="The outcome of the verdict.")
    summary: str = setting(says="The verdict on one line.")
    began: str = setting(says="When it began, UTC in ISO 8601; thresholds must be older.")
    signed: str = setting(says="When the verdict was signed, UTC in ISO 8601.")
    seed: int = setting(says="The seed of every random choice.")
    number: int = setting(says="The number of the statement among those about the version.")
    key: str = setting(says="The id of the key that signed it.")


class Digests(Settings):
    """The digests of what every result here follows from, each sha256:<hex>."""

    statement: str = setting(says="Of the signed statement.")
    evidence: str = setting(says="Of the verdict's files, in-toto's dirHash.")
    verdict: str = setting(says="Of verdict.json, one of these files: all results are read from it.")
    model: str = setting(says="Of the model's files.")
    code: str = setting(says="Of the code that makes the path and the service.")
    policy: str = setting(says="Of the policy.")
    reference: str = setting(says="Of the reference.")


class Later(Settings):
    """A later verdict on the version: it decided nothing, or was made of other files or under another policy."""

    number: int = setting(says="The number of its statement.")
    digest: str = setting(says="The digest of its statement.")
    outcome: Outcome = setting(says="Its outcome.")


class Threshold(Settings):
    """One setting of the policy as the run had it, and who set it."""

    id: str = setting(says="What results refer to it by.", example="service.toml: slo")
    value: str = setting(says="As it is written; a long one is cut.", example="limit_ms = 250, rate = 10")
    author: str = setting(says="Who committed what its file says; 'unknown' where that is not known.")
    at: str = setting(says="When, UTC in ISO 8601; empty where that is not known.")
    commit: str = setting(says="The id of the commit; empty where there is none.")
    counted: bool = setting(
        says="Whether it was committed before the run began. A result under one that was not counts for nothing."
    )
    reason: str = setting(says="Why it is not counted, or why its author is not known; empty otherwise.")


class Number(Settings):
    """One number that a check recorded."""

    name: str = setting(says="What was measured.", example="roc_auc")
    column: str = setting(says="The column that it is of; empty where it is of none.")
    value: float | str = setting(says="The number; NaN and infinity as text.")
    unit: str = setting(says="Its unit; empty for a ratio.")


class Result(Settings):
    """The result of one case: one check on one stage, on one dependency, on the service, or on the whole path."""

    id: str = setting(says="What subcategories and tests refer to it by.", example="service · golden")
    check: str = setting(says="The check.")
    stage: str = setting(says="The stage, the dependency or 'service'; empty for the whole path.")
    state: State = setting(says="The state of the case.")
    says: str = setting(says="What failed, or why it was not evaluated; empty where it passed.")
    compared: int = setting(says="The number of comparisons.")
    numbers: List[Number] = setting(says="What it measured.")
    thresholds: List[str] = setting(says="The ids of the thresholds that judged it; without one, the check's own.")
    counted: bool = setting(says="Whether all of these were committed before the run began.")


class Subcategory(Settings):
    """A subcategory of the NIST AI RMF 1.0, and what supports it."""

    id: str = setting(says="Its id.", example="MEASURE 2.3")
    text: str = setting(says="What NIST AI 100-1 says.")
    status: Status = setting(
        says="Partly supported: the results passed. Not counted: they passed by thresholds that were not committed "
        "before the run. Failed, inconclusive: assessed, and supported by nothing. Not assessed: there is no such "
        "result. No subcategory is supported whole by results of tests."
    )  # fmt: skip
    says: str = setting(says="What the results show, or the reason for the status.")
    rest: str = setting(says="What the subcategory asks for beyond the results; empty where it is not assessed.")
    results: List[str] = setting(says="The ids of the results.")
    records: bool = setting(says="Whether what is signed supports it: digests, thresholds and their authors.")


class Framework(Settings):
    """The NIST AI RMF 1.0."""

    source: str = setting(says="Where the framework is published.")
    subcategories: List[Subcategory] = setting(says="All 72, in the order of the framework.")


class MlTest(Settings):
    """One of the 28 tests of the ML Test Score."""

    number: str = setting(says="Its number in its section.", example="Infra 4")
    says: str = setting(says="What it asks, in words of our own.")
    coverage: Coverage = setting(says="How far the verdict covers it. A test that failed covers nothing.")
    reason: str = setting(says="What is missing; empty where it is covered.")
    results: List[str] = setting(says="The ids of the results.")


class Section(Settings):
    """The points of one section: half a point a test that was run once and documented, one where it runs by itself."""

    name: SectionName = setting(says="The section.")
    once: float = setting(says="Points for this verdict alone: half a point for each test that is covered.")
    automated: float = setting(says="Points where validations run by themselves, for each version: one for each.")


class MlTestScore(Settings):
    """The ML Test Score, as far as a verdict shows it."""

    source: str = setting(says="Where the paper is published.")
    tests: List[MlTest] = setting(says="All 28, in the order of the paper.")
    sections: List[Section] = setting(says="The points of each section.")
    once: float = setting(says="The score of this verdict alone: as in the paper, the fewest points of a section.")
    automated: float = setting(says="The score where validations run by themselves.")
    says: str = setting(says="What the score leaves out.")


class Evidence(Settings):
    """The file that 'seatrial evidence --json' writes: what a signed verdict supports, and what it does not."""

    format: Literal[1] = setting(says="The version of this format.")
    version: Version = setting(says="The registered version that the evidence is of.")
    run: Run = setting(says="The validation whose verdict is used.")
    digests: Digests = setting(says="Of what every result here follows from.")
    notes: List[str] = setting(says="What a reader must know first: what changed since, what is not known.")
    later: List[Later] = setting(says="Later verdicts on the version, which this evidence does not use.")
    thresholds: List[Threshold] = setting(says="The policy as the run had it.")
    results: List[Result] = setting(says="Every result of the verdict.")
    nist: Framework = setting(says="The NIST AI RMF 1.0, by subcategory.")
    ml_test_score: MlTestScore = setting(says="The ML Test Score, by test.")


def to_json(evidence: Evidence) -> str:
    """Return the evidence as JSON text; the same evidence always gives the same text."""
    return evidence.model_dump_json(indent=2) + "\n"
