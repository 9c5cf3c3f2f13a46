"""Put the evidence of a version together: a function of its statement, the files signed with it, and the policy."""

from __future__ import annotations

from pathlib import Path

from seatrial.project import Project
from seatrial.promotion.assurance import model
from seatrial.promotion.assurance.mapping import sources
from seatrial.promotion.assurance.nist import Shown, framework
from seatrial.promotion.assurance.results import iso, results_of, thresholds_of
from seatrial.promotion.assurance.score import ml_test_score
from seatrial.promotion.assurance.signed import SignedVerdict, signed_verdict
from seatrial.promotion.assurance.then import PolicyThen, policy_then
from seatrial.promotion.assurance.thresholds import declared
from seatrial.sinks.text import neutral


def evidence(directory: Path, model_uri: str) -> model.Evidence:
    """Return what the newest signed verdict of a version supports.

    Example::

        for each in evidence(Path("."), "models:/payments@champion").nist.subcategories:
            print(each.id, each.status, each.says)

    Raises:
        NotAsSigned: files of the model or of the verdict are not those that were signed.
        CannotTell: there is no signed verdict, which one is the newest cannot be told, or its files are gone.
        RegistryError: the registry does not answer, or there is no such version.
        UsageError: there is no project, no public key, or the URI is malformed.
    """
    project = Project.find(directory)
    project.activate()
    signed = signed_verdict(project, model_uri)
    return evidence_of(signed, policy_then(project.expectations, signed.statement.policy_digest, signed.began))


def evidence_of(signed: SignedVerdict, policy: PolicyThen) -> model.Evidence:
    """Return the evidence of a signed verdict; the same statement, files and policy always give the same.

    Args:
        signed: the verdict.
        policy: as the run had it.
    """
    statement, verdict, version = signed.statement, signed.verdict, signed.version
    settings = declared(policy.files or {})
    thresholds, results = thresholds_of(policy, settings), results_of(verdict, policy, settings)
    summary = neutral(verdict.summary, 1_000)
    known = policy.files is not None
    shown = Shown(verdict.outcome, summary, results, thresholds, settings, known, verdict.dependencies)
    rmf, paper = sources()
    return model.Evidence(
        format=1,
        version=model.Version(
            uri=version.uri, model=version.name, version=version.number, registry=version.registry,
            created=iso(version.created / 1000),
        ),
        run=model.Run(
            outcome=verdict.outcome.value, summary=summary, began=iso(signed.began),
            signed=iso(statement.evaluated / 1000), seed=verdict.seed, number=statement.link.number,
            key=statement.keyid,
        ),
        digests=model.Digests(
            statement=statement.digest, evidence=statement.evidence_digest, verdict=signed.digest,
            model=statement.model_digest, code=statement.code_digest, policy=statement.policy_digest,
            reference=statement.reference_digest,
        ),
        notes=(*signed.notes, *filter(None, [policy.reason])),
        later=tuple(
            model.Later(number=s.link.number, digest=s.digest, outcome=s.outcome.value) for s in signed.later
        ),
        thresholds=thresholds,
        results=results,
        nist=framework(shown, rmf),
        ml_test_score=ml_test_score(shown, paper),
    )  # fmt: skip
