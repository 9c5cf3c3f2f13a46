"""The published JSON Schemas and reference pages are those of the models, and agree with what is read."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from seatrial.cli import schema
from seatrial.errors import PolicyError, UsageError
from seatrial.policy.service import service_settings
from tests.support.paths import ROOT

RENEW = "Run 'python -m seatrial.cli.reference docs'."
FILES = {
    "service": [
        ROOT / "expectations" / "service.toml",
        ROOT / "tests" / "e2e" / "flows" / "tiny" / "expectations" / "service.toml",
    ],
    "fixtures": [ROOT / "expectations" / "fixtures.toml"],
    "contract-example": sorted((ROOT / "expectations" / "contract").glob("*/*.json")),
    "pyproject-tool-seatrial": [
        ROOT / "pyproject.toml",
        ROOT / "tests" / "e2e" / "flows" / "tiny" / "pyproject.toml",
        ROOT / "src" / "seatrial" / "cli" / "scaffold" / "pyproject.toml.txt",
    ],
}

READ = tuple(FILES)  # the others are written


def content(path: Path) -> object:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    read = tomllib.loads(text)
    return read["tool"]["seatrial"] if path.name.startswith("pyproject") else read


def problems(name: str, value: object) -> list[str]:
    return [e.message for e in jsonschema.Draft7Validator(schema.schema(name)).iter_errors(value)]


@pytest.mark.parametrize("name", schema.MODELS)
def test_what_is_published_is_up_to_date(name):
    """The schema and the page in docs/ are what the models make now."""
    assert (ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8") == schema.text(name), RENEW
    assert (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8") == schema.reference(name), RENEW


@pytest.mark.parametrize("name", READ)
def test_a_schema_is_valid_and_accepts_our_own_files(name):
    """It is a JSON Schema, and every file of that kind in this repository keeps it."""
    jsonschema.Draft7Validator.check_schema(schema.schema(name))
    assert FILES[name]
    assert [(p.name, problems(name, content(p))) for p in FILES[name]] == [(p.name, []) for p in FILES[name]]


@pytest.mark.parametrize("name", schema.MODELS)
def test_every_setting_is_described_and_its_default_and_example_are_allowed(name):
    """No setting without a sentence, and none whose default or example an editor would mark."""
    whole = schema.schema(name)
    tables = [whole, *whole.get("$defs", {}).values()]
    fields = {(t["description"], n): f for t in tables for n, f in t["properties"].items()}
    assert fields
    assert [at for at, field in fields.items() if not field.get("description", "").endswith(".")] == []
    for at, field in fields.items():
        values = [*field.get("examples", []), *([field["default"]] if "default" in field else [])]
        check = jsonschema.Draft7Validator({**field, "$defs": whole.get("$defs", {})})
        assert [(at, value) for value in values if not check.is_valid(value)] == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[slo]\nlimit_ms = 5", "[slo]: required setting 'rate' is missing. Example: rate = 10 (requests/s)."),
        ("[load]\nruns = '3'", "[load]: 'runs' must be an integer of at least 1; found \"3\". Example: runs = 3."),
        ("[load]\nkne = true", "[load]: setting 'kne' is not known"),
        ("[golden]\nvarying = 'x'", "[golden]: 'varying' must be a list of strings; found \"x\""),
        ("[contract]\ncoercion = 'eror'", '[contract]: \'coercion\' must be one of "error", "warning", "allow"'),
        (
            "[dependencies.a]\nlive = 1",
            "[dependencies.a]: 'live' must be true or false; found 1.",
        ),
    ],
)
def test_the_schema_and_the_reader_refuse_the_same(text, place):
    """What an editor marks is what a validation refuses."""
    assert problems("service", tomllib.loads(text))
    with pytest.raises(PolicyError) as caught:
        service_settings(tomllib.loads(text))
    assert str(caught.value).startswith(f"service.toml {place}")


@pytest.mark.parametrize(
    ("source", "more", "accepted"),
    [
        ("copula", "rows = 3", True),
        ("copula", "", False),
        ("copula", "rows = 3\nepsilon = 1.0", False),
        ("private", "rows = 3", False),
        ("private", "rows = 3\nepsilon = 1.0\ndelta = 1e-6\n[fixtures.a.columns.x]\nvalues = [1]", True),
        ("copula", "rows = 3\n[fixtures.a.columns.x]\nvalues = [1]", False),
        ("edges", "", True),
        ("of_another_package", "max_distance = 0.1", False),
        ("of_another_package", "rows = 3\nmax_distance = 0.1\noptions = { start = 10 }", True),
        ("of_another_package", "rows = 3\nepsilon = 1.0", False),
        ("copula", "rows = 3\noptions = { start = 10 }", False),
    ],
)
def test_an_editor_knows_which_settings_a_source_takes(source, more, accepted):
    """Settings that do not apply to the source are marked; a source of another package has options of its own."""
    found = problems("fixtures", tomllib.loads(f"[fixtures.a]\nsource = '{source}'\n{more}\n"))
    assert (not found) is accepted, found


def test_the_command_prints_or_writes(tmp_path, capsys):
    """``seatrial schema service`` prints what ``--to`` writes."""
    assert schema.show("service") == 0
    printed = capsys.readouterr().out
    assert schema.show("service", to=tmp_path / "service.schema.json") == 0
    assert (tmp_path / "service.schema.json").read_text(encoding="utf-8") == printed == schema.text("service")
    assert capsys.readouterr().out == ""
    with pytest.raises(UsageError, match=r"Schema 'servce' is not known. Known: .* Did you mean 'service'"):
        schema.show("servce")
