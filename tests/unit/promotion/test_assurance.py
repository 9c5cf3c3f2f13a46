"""What a verdict supports: never more than what passed, by thresholds that were there before the run."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import html5lib
import jsonschema
import pytest

from seatrial import plugins
from seatrial.cli import schema
from seatrial.cli.evidence.table import lines
from seatrial.events import Evaluated, Finding, NotEvaluated
from seatrial.promotion.assurance import mapping
from seatrial.promotion.assurance.model import Evidence, to_json
from seatrial.promotion.assurance.page import SLUGS, render
from seatrial.promotion.assurance.then import PolicyThen
from seatrial.promotion.assurance.thresholds import declared, of_case
from tests.support.evidenced import ADA, GOOD, POLICY, UNKNOWN, evidenced, set_later, without

FAILED = (*GOOD, Finding("quality", "score", "'roc_auc' is 0.5, below 0.8.", "s"))
OPEN = (*without("quality"), NotEvaluated("quality", "score", "Too few labels."))
SMALL = [Evaluated("golden", "features", 500)]
EVERY = {
    "pass": evidenced(), "fail": evidenced(FAILED), "inconclusive": evidenced(OPEN, later=2), "small": evidenced(SMALL),
    "late": evidenced(policy=set_later(*POLICY)), "unknown": evidenced(policy=UNKNOWN), "nothing": evidenced([]),
    "optional": evidenced(OPEN, optional=["quality"]),
}  # fmt: skip


def statuses(evidence: Evidence) -> dict[str, str]:
    return {each.id: each.status for each in evidence.nist.subcategories}


def coverage(evidence: Evidence) -> dict[str, str]:
    return {each.number: each.coverage for each in evidence.ml_test_score.tests}


def says(evidence: Evidence, id_: str) -> str:
    return next(each.says for each in evidence.nist.subcategories if each.id == id_)


# --- the maps ----------------------------------------------------------------------------------------------


def test_the_maps_are_whole_and_name_checks_that_there_are() -> None:
    """All subcategories and tests, once; every check of seatrial has its thresholds, and shows something."""
    ids = [each.id for each in mapping.subcategories()]
    assert [sum(i.startswith(f"{f} ") for i in ids) for f in ("GOVERN", "MAP", "MEASURE", "MANAGE")] == [19, 18, 22, 13]
    numbers = [f"{section} {n}" for section in mapping.SECTIONS for n in range(1, 8)]
    assert [each.number for each in mapping.ml_tests()] == numbers
    ours = {name for name in plugins.names("checks") if plugins.load("checks", name).__module__.startswith("seatrial.")}
    needs = [n for t in mapping.ml_tests() for n in (t.covered, t.partly) if n]
    used = {c for each in (*mapping.subcategories(), *needs) for c in each.checks}
    assert used <= ours
    assert all(mapping.settings_of(check) != (f"checks.{check}",) for check in ours)
    assert all(f"{check} passed" != mapping.shows(check, service=False) for check in used)


def test_every_subcategory_says_what_it_shows_or_why_not() -> None:
    """One that is supported in some way has a rest: no result of a test covers one whole."""
    for each in mapping.subcategories():
        supported = bool(each.checks or each.records or each.verdict)
        assert each.because.endswith(".")
        assert bool(each.rest) is supported, each.id
        assert each.shows or not (each.records or each.verdict or each.declares), each.id


# --- thresholds --------------------------------------------------------------------------------------------


def test_thresholds_are_read_and_not_run() -> None:
    """Tables that judge, what a stage's file assigns, defines or imports, and consumers' examples."""
    files = {
        **POLICY,
        "broken.py": b"from common import tolerances\nraise SystemExit\nLIMITS = Quality(groups={})\nquality = LIMITS",
        "hidden.py": b"if True:\n    tolerances = {}\nwith open('a') as quality:\n    pass",
        "star.py": b"from common import *",
        "twice.py": b"quality = 1\nquality = Quality(groups={})",
        "fixtures.toml": b"[fixtures.a]\nsource = 'edges'",
    }
    found = {each.id: each for each in declared(files)}
    assert {*found} == {
        "service.toml: slo", "service.toml: dependencies.store", "features.py: features.expectations",
        "score.py: score.quality", "contract/app/one.json", "broken.py: broken.tolerances",
        "broken.py: broken.quality", "hidden.py: hidden.tolerances", "hidden.py: hidden.quality",
        "star.py: star.tolerances", "star.py: star.expectations", "star.py: star.quality", "twice.py: twice.quality",
    }  # fmt: skip
    assert found["service.toml: slo"].value == "limit_ms = 250, rate = 10"
    assert "groups" in found["broken.py: broken.quality"].names
    assert found["hidden.py: hidden.tolerances"].value == "set by other code of the file"
    assert found["twice.py: twice.quality"].value == "Quality(groups={})"
    assert found["broken.py: broken.tolerances"].value == "from common import tolerances"


@pytest.mark.parametrize(
    ("check", "stage", "expected"),
    [
        ("quality", "score", ["score.quality"]), ("expectations", "features", ["features.expectations"]),
        ("expectations", "raw", []), ("load", "service", ["slo"]), ("contract", "service", ["contract/"]),
        ("resilience", "store", ["dependencies.store", "slo"]), ("resilience", "other", ["slo"]),
        ("environment", None, []), ("bounds", "score", []),
    ],
)  # fmt: skip
def test_a_case_has_the_thresholds_of_its_stage(check: str, stage: str | None, expected: list[str]) -> None:
    """Those of another stage or dependency are no matter of it."""
    assert sorted(each.name for each in of_case(declared(POLICY), check, stage)) == sorted(expected)


# --- the NIST AI RMF ---------------------------------------------------------------------------------------


def test_what_passed_supports_in_part_and_nothing_supports_whole() -> None:
    """Each subcategory that a test can speak to; what it leaves open is said beside it."""
    found = EVERY["pass"]
    supported = {i for i, status in statuses(found).items() if status == "partly supported"}
    assert supported == {each.id for each in mapping.subcategories() if each.rest}
    assert {*statuses(found).values()} == {"partly supported", "not assessed"}
    assert "the running service gave the recorded responses" in says(found, "MEASURE 2.3")


def test_only_what_ran_is_said_to_be_shown() -> None:
    """A check that did not run is named; a subcategory without any result has its reason."""
    found = EVERY["small"]
    assert says(found, "MEASURE 2.3") == "The whole path gave the recorded responses. Not run: quality, load."
    assert statuses(found)["MEASURE 2.6"] == statuses(found)["MEASURE 2.11"] == "not assessed"
    assert "groups=" in says(found, "MEASURE 2.11")
    assert {*statuses(EVERY["nothing"]).values()} == {"not assessed", "inconclusive"}


@pytest.mark.parametrize(("name", "status"), [("fail", "failed"), ("inconclusive", "inconclusive")])
def test_what_failed_or_is_open_supports_nothing(name: str, status: str) -> None:
    """Also where other checks of the same subcategory passed; the verdict as a whole too."""
    found = EVERY[name]
    assert {i for i, s in statuses(found).items() if s == status} == {
        "MEASURE 2.3", "MEASURE 2.5", "MEASURE 2.11", "MANAGE 1.1",
    }  # fmt: skip
    assert "score · quality" in says(found, "MEASURE 2.5")
    assert statuses(found)["MEASURE 2.7"] == "partly supported"


def test_an_optional_check_without_a_result_supports_nothing() -> None:
    """The verdict is a pass, and says what it did without."""
    found = EVERY["optional"]
    assert found.run.outcome == "pass"
    assert statuses(found)["MEASURE 2.11"] == "inconclusive"
    assert "not evaluated, as the policy allows: quality" in says(found, "MANAGE 1.1")


def test_a_threshold_that_is_newer_than_the_run_is_not_counted() -> None:
    """It takes the support from what it judged, and from what says that thresholds came first; from nothing else."""
    found = evidenced(policy=set_later("score.py"))
    assert {i for i, s in statuses(found).items() if s == "not counted"} == {
        "MAP 2.3", "MEASURE 1.1", "MEASURE 1.2", "MEASURE 2.3", "MEASURE 2.5", "MEASURE 2.8", "MEASURE 2.11",
        "MANAGE 1.1",
    }  # fmt: skip
    assert says(found, "MEASURE 2.11") == "score.py: score.quality: It was committed after the run began."
    assert [each.id for each in found.results if not each.counted] == ["score · quality"]
    assert coverage(found)["Infra 4"] == "no"


def test_a_pass_that_a_late_setting_allowed_is_not_counted() -> None:
    """Which checks may stay without a result is a threshold of the verdict, and of no check alone."""
    found = evidenced(SMALL, set_later("service.toml"))
    assert all(each.counted for each in found.results)
    assert statuses(found)["MEASURE 2.5"] == "partly supported"
    assert says(found, "MANAGE 1.1").startswith("service.toml: ")
    assert statuses(found)["MANAGE 1.1"] == "not counted"


def test_what_rests_on_authors_needs_to_know_them() -> None:
    """In a shallow clone a threshold is known to be older than the run, and its author is not known."""
    nobody = replace(ADA, author="unknown", reason="The clone is shallow.")
    found = evidenced(policy=PolicyThen(POLICY, dict.fromkeys(POLICY, nobody), changed=False))
    assert {i for i, s in statuses(found).items() if s == "not counted"} == {
        "MAP 2.3", "MEASURE 1.1", "MEASURE 1.2", "MEASURE 2.8",
    }  # fmt: skip
    assert says(found, "MEASURE 1.2").endswith("The clone is shallow.")


def test_a_policy_that_is_not_known_supports_nothing_that_rests_on_it() -> None:
    """The environment has no threshold; records by digest alone stay."""
    found = EVERY["unknown"]
    assert {i for i, s in statuses(found).items() if s == "partly supported"} == {"MEASURE 2.1", "MANAGE 4.1"}
    assert [each.id for each in found.results if each.counted] == ["environment"]
    assert found.notes == (UNKNOWN.reason,)
    assert {*coverage(found).values()} == {"no"}


# --- the ML Test Score -------------------------------------------------------------------------------------


def test_the_score_is_that_of_what_passed() -> None:
    """Half a point a test that is covered, one if automated; the fewest points of a section; partly has none."""
    found = EVERY["pass"].ml_test_score
    covered = [each.number for each in found.tests if each.coverage == "covered"]
    assert covered == ["Data 1", "Model 6", "Infra 4"]
    assert {each.name: (each.once, each.automated) for each in found.sections} == {
        "Data": (0.5, 1.0), "Model": (0.5, 1.0), "Infra": (0.5, 1.0), "Monitor": (0.0, 0.0),
    }  # fmt: skip
    assert (found.once, found.automated) == (0.0, 0.0)
    assert "what seatrial cannot see counts 0 here" in found.says
    assert all(each.reason for each in found.tests if each.coverage != "covered")


def test_a_test_that_failed_or_lacks_its_number_covers_nothing() -> None:
    """Slices without a champion were measured, and nothing was decided."""
    assert {n for n, c in coverage(EVERY["fail"]).items() if c == "covered"} == {"Data 1"}
    alone = evidenced([each for each in GOOD if not getattr(each, "name", "").endswith(".champion")])
    assert (coverage(alone)["Model 6"], coverage(alone)["Monitor 7"]) == ("partly", "no")
    assert coverage(EVERY["pass"])["Monitor 1"] == "no"
    asked = evidenced([*GOOD, Evaluated("expectations", "store", 60)])
    assert coverage(asked)["Monitor 1"] == "partly"


# --- what is written ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_no_output_claims_compliance(name: str) -> None:
    """Neither JSON, nor page, nor terminal, whatever the verdict."""
    found = EVERY[name]
    for text in (to_json(found), render(found), "\n".join(lines(found))):
        assert not re.search("complian|complies|comply|certified|conform", text, re.IGNORECASE)


@pytest.mark.parametrize("name", EVERY)
def test_the_json_keeps_its_schema_and_reads_back(name: str) -> None:
    """The published one; the same verdict gives the same text, and every id that is named is there."""
    text = to_json(EVERY[name])
    read = json.loads(text)
    assert [e.message for e in jsonschema.Draft7Validator(schema.schema("evidence")).iter_errors(read)] == []
    assert to_json(Evidence.model_validate_json(text)) == text
    results, thresholds = ({each["id"] for each in read[of]} for of in ("results", "thresholds"))
    assert {i for of in (read["nist"]["subcategories"], read["ml_test_score"]["tests"]) for e in of
            for i in e["results"]} <= results  # fmt: skip
    assert {t for each in read["results"] for t in each["thresholds"]} <= thresholds
    assert read["digests"]["statement"] == f"sha256:{'1' * 64}"


@pytest.mark.parametrize("name", EVERY)
def test_the_page_is_valid_html(name: str) -> None:
    """A strict parser finds no error, every id is one element's, every link leads to one; each digest is shown."""
    found = EVERY[name]
    page = render(found)
    root = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    elements = [each for each in root.iter() if isinstance(each.tag, str)]
    ids = [each.get("id") for each in elements if each.get("id")]
    assert len(ids) == len({*ids})
    assert {each.get("href")[1:] for each in elements if each.tag == "a"} <= {*ids}
    assert all(digest in page for digest in found.digests.model_dump().values())
    assert "<script" not in page


def test_text_from_elsewhere_is_neutral() -> None:
    """A name with markup, a control character or a line of its own reaches neither page nor terminal."""
    hostile = "<b>x</b>\x1b[31m\u202e"
    found = evidenced([*GOOD, Finding("golden", "features", hostile)], name=hostile)
    for text in (render(found), "\n".join(lines(found))):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<b>x" not in render(found)


def test_every_state_has_a_style() -> None:
    """The page knows each word that the model allows."""
    words = {*schema.schema("evidence")["$defs"]["Result"]["properties"]["state"]["enum"]}
    words |= {*schema.schema("evidence")["$defs"]["Subcategory"]["properties"]["status"]["enum"]}
    words |= {*schema.schema("evidence")["$defs"]["MlTest"]["properties"]["coverage"]["enum"]}
    assert words == {*SLUGS}
