"""The pure parts of the contract check: probes, declared fields, examples, the signature, the files."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from seatrial import Pipeline, Policy
from seatrial.checks.contract.allowances import allowed, misspelt_allowances
from seatrial.checks.contract.fields import declared_by_schema, declared_by_signature
from seatrial.checks.contract.judge import Problem
from seatrial.checks.contract.matching import example_mismatches
from seatrial.checks.contract.meaning.semantics import semantic_shifts
from seatrial.checks.contract.meaning.signature import inputs_of, signature_mismatches
from seatrial.errors import PolicyError
from seatrial.events import Severity
from seatrial.openapi.document import answer_schema, body_schema, documented_path
from seatrial.openapi.schemas.conformance import conforms, lacks_documented_fields
from seatrial.policy.consumers import load_pinned
from seatrial.targets.probes.base import Expect, Probe
from seatrial.targets.probes.paths import learned
from seatrial.targets.probes.records import UNKNOWN_FIELD, Envelope, probes

RECORD = {"id": "t1", "amount": 41, "rate": 0.5, "paid": True, "note": "a"}
SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^t"},
        "amount": {"type": "integer"},
        "rate": {"type": "number"},
        "paid": {"type": "boolean"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["id", "amount", "rate", "paid"],
    "additionalProperties": False,
}
ANSWER = {"type": "object", "properties": {"score": {"type": "number", "nullable": True}}, "required": ["score"]}
DOCUMENT = {
    "openapi": "3.0.3",
    "paths": {
        "/score": {
            "post": {
                "requestBody": {"content": {"application/json": {"schema": SCHEMA}}},
                "responses": {
                    "200": {"content": {"application/json; charset=utf-8": {"schema": ANSWER}}},
                    "4XX": {"content": {}},
                },
            }
        }
    },
}


def made(declared=None):
    declared = declared or declared_by_schema(DOCUMENT, SCHEMA)
    return list(probes(RECORD, declared, Envelope('{"rows":[', "]}")))


def test_every_fixed_probe_is_sent_and_is_as_described():
    """NaN, infinity, texts, truth values, fractions, unknown and missing fields, null, wide integers and the rest."""
    texts = {(p.field_name, p.cause): p for p in made()}
    bodies = b"\n".join(p.body for p in made())
    for raw in (
        b'"rate": NaN', b'"rate": Infinity', b'"rate": 1e999', b'"amount": "41"', b'"amount": true', b'"amount": 41.5',
        b'"amount": null', b'"paid": 1', b'"id": 41', str(2**53 + 1).encode(), b"\\u0000", b"\\ud800",
        b"[" * 20_000, UNKNOWN_FIELD.encode(), b'"noet"',
    ):  # fmt: skip
        assert raw in bodies, raw
    assert texts["amount", "null"].expect is Expect.REFUSE
    assert texts["note", "null"].expect is Expect.ACCEPT
    assert texts["amount", "missing"].expect is Expect.REFUSE
    assert texts["note", "missing"].expect is Expect.ACCEPT
    assert b"" in [p.body for p in made()]
    assert {p.content_type for p in made()} == {"application/json", "text/plain", "application/x-www-form-urlencoded"}


def test_a_probe_changes_one_field_and_its_equivalent_is_the_coerced_request():
    """A comparison of the answers to the two shows a coercion."""
    probe = next(p for p in made() if (p.field_name, p.cause) == ("amount", "truncation"))
    sent, equivalent = (json.loads(body)["rows"][0] for body in (probe.body, probe.equivalent))
    assert {k for k in sent if sent[k] != RECORD[k]} == {"amount"}
    assert (sent["amount"], equivalent) == (41.5, RECORD)


def test_without_a_declaration_types_are_learned_and_nothing_is_required():
    """Another type than ever seen is a question; whether a field may be absent, null or misspelt nobody said."""
    declared = learned([RECORD, {**RECORD, "amount": 41.5}])
    found = {(p.field_name, p.cause, p.description): p.expect for p in made(declared)}
    assert found["amount", "dtype-coercion", "the number sent as text"] is Expect.REFUSE
    assert "truncation" not in {cause for _, cause, _ in found}
    for cause in ("missing", "null", "unknown-field"):
        assert {e for (_, c, _), e in found.items() if c == cause} <= {Expect.EITHER, Expect.ACCEPT}, cause


NESTED = {
    "type": "object",
    "required": ["customer"],
    "properties": {
        "customer": {
            "type": "object",
            "required": ["age"],
            "properties": {"age": {"type": "integer"}, "name": {"type": "string"}},
        },
        "items": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
ITEM = {
    "type": "object",
    "required": ["price"],
    "properties": {"price": {"type": "number"}, "next": {"$ref": "#/components/schemas/Item"}},
}


def test_fields_at_every_depth_are_declared_and_probed():
    """Objects in objects, lists of objects, a schema that refers to itself: one thing is changed, where it lies."""
    declared = declared_by_schema({"components": {"schemas": {"Item": ITEM}}}, NESTED)
    assert {"customer.age", "items[0].price", "items[0].next.next.price", "tags[0]"} <= set(declared.fields)
    record = {"customer": {"age": 41, "name": "Ada"}, "items": [{"price": 1.5}, {"price": 2}], "tags": []}
    sent = {(p.field_name, p.cause, p.description): p for p in probes(record, declared, Envelope())}
    fraction = json.loads(sent["customer.age", "truncation", "a fraction in place of an integer"].body)
    assert fraction == {**record, "customer": {"age": 41.5, "name": "Ada"}}
    gone = sent["items[0].price", "missing", "a request without the field"]
    assert gone.expect is Expect.REFUSE
    assert json.loads(gone.body) == {**record, "items": [{}, {"price": 2}]}
    assert not [name for name, _, _ in sent if name and name.startswith("items[0].next.")]
    assert ("customer.name", "unknown-field", "the misspelt field 'naem' in place of 'name'") in sent


def test_fields_of_recorded_requests_are_learned_at_every_depth():
    fields = learned([{"at": {"n": 1}, "x": [[1]]}, {"at": {"n": None}}, {"x": []}]).fields
    assert {n: (set(f.types), f.required, f.nullable) for n, f in fields.items()} == {
        "at": ({"object"}, None, None),
        "at.n": ({"number"}, None, True),
        "x": ({"array"}, None, None),
        "x[0]": ({"array"}, None, None),
        "x[0][0]": ({"number"}, None, None),
    }


def test_a_request_with_very_many_fields_is_probed_in_part_and_the_rest_is_counted():
    wide = {"type": "object", "properties": {f"f{n}": {"type": "integer"} for n in range(400)}}
    declared = declared_by_schema({}, wide)
    assert len(declared.fields) + declared.left_out == 400
    assert declared.left_out > 0


def test_what_is_allowed_by_name_is_information_with_its_reason():
    """By the description of the probe, by its cause, or by the finding's."""
    shown = Problem("status-500", "age", "lists nested 20,000 deep", probe="malformed")
    for name in ("lists nested 20,000 deep", "malformed", "status-500"):
        told = allowed(shown, {name: "The server parses recursively."})
        assert (told.severity, told.detail) == (Severity.INFO, "allowed: The server parses recursively")
    assert allowed(shown, {"an empty body": "It is its own."}) == shown
    sent = [Probe("malformed", "lists nested 20,000 deep", b"")]
    (warning,) = misspelt_allowances("contract", {"lists nested 2,000 deep": "x"}, sent)
    assert "Did you mean 'lists nested 20,000 deep'?" in warning.message
    assert list(misspelt_allowances("contract", {"status-500": "x"}, sent)) == []


@pytest.mark.parametrize(
    ("expected", "actual", "field", "cause"),
    [
        ({"a": 1}, {"a": "1"}, "a", "dtype-coercion"),
        ({"a": True}, {"a": 1}, "a", "dtype-coercion"),
        ({"a": {"b": 1}}, {"a": {}}, "a.b", "missing-field"),
        ({"a": None}, {"a": 0}, "a", "null-meaning"),
        ({"a": 0.42}, {"a": 42.0}, "a", "unit-factor"),
        ({"a": 0.3}, {"a": 0.7}, "a", "class-order"),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, "a", "class-order"),
        ({"a": ["x"]}, {"a": []}, "a", "other-length"),
        ({"a": 2**53 + 1}, {"a": 2**53}, "a", "json-integer"),
        ({"a": "x"}, {"a": "y"}, "a", "other-value"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "a[0].b", "other-value"),
        ({"a": 1}, [1], "", "dtype-coercion"),
    ],
)
def test_a_mismatch_of_an_example_has_its_field_and_kind(expected, actual, field, cause):
    """Units, order of classes, meaning of null, and lost digits have causes of their own."""
    assert [(m.field, m.cause) for m in example_mismatches(expected, actual)] == [(field, cause)]


def test_an_answer_may_have_further_fields_and_differ_within_the_tolerance_of_the_example():
    """Numbers may differ within the tolerance of the example; integers beyond 2^53 never do."""
    assert list(example_mismatches({"a": 1, "b": [1.0]}, {"a": 1.0, "b": [1], "c": 2})) == []
    assert list(example_mismatches({"a": 0.5}, {"a": 0.504}, tolerance=0.01)) == []
    assert list(example_mismatches({"a": 2**60}, {"a": 2**60 + 1}, tolerance=0.01)) != []


def test_answers_are_compared_with_their_schema_in_either_dialect():
    """OpenAPI 3.0 nullable is supported; the message has the rule and no value."""
    schema = answer_schema(DOCUMENT, "POST /score", 200)[1]
    assert conforms(DOCUMENT, schema, {"score": None}) == ""
    assert "lacks 'score'" in conforms(DOCUMENT, schema, {"error": "secret"})
    assert conforms(DOCUMENT, schema, {"score": "secret"}) == "'score' breaks 'anyOf'"
    optional = {"type": "object", "properties": {"detail": {"type": "string"}}}
    assert conforms(DOCUMENT, optional, {"error": "x"}) == ""
    assert "none of the documented fields" in lacks_documented_fields(DOCUMENT, optional, {"error": "x"})
    assert answer_schema(DOCUMENT, "POST /score", 422) == (True, None)
    assert answer_schema(DOCUMENT, "POST /score", 302) == (False, None)
    assert documented_path(DOCUMENT, "/v2/score") == "/score"
    assert body_schema(DOCUMENT, "GET /none") is None


def signed(tmp_path, *columns):
    (tmp_path / "MLmodel").write_text(json.dumps({"signature": {"inputs": json.dumps(columns)}}))
    return inputs_of(tmp_path)


def test_the_signature_is_compared_by_name_type_and_null(tmp_path):
    """A missing column, an integer type for a double column, nulls where the type allows none."""
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, math.nan], "c": ["x", None], "d": pd.array([1, None], dtype="Int64")})
    fine = signed(
        tmp_path, {"name": "a", "type": "long"}, {"name": "b", "type": "double"},
        {"name": "c", "type": "string", "required": False}, {"name": "zz", "type": "long", "required": False},
    )  # fmt: skip
    assert list(signature_mismatches(fine, frame)) == []
    wrong = signed(
        tmp_path, {"name": "aa", "type": "long"}, {"name": "a", "type": "integer"}, {"name": "b", "type": "long"},
        {"name": "d", "type": "long"}, {"name": "c", "type": "string"},
    )  # fmt: skip
    found = [(m.column, m.cause, m.certain) for m in signature_mismatches(wrong, frame)]
    assert found == [
        ("aa", "missing-column", True), ("a", "dtype", True), ("b", "dtype", True), ("d", "null-handling", True),
        ("c", "null-handling", False),
    ]  # fmt: skip
    assert declared_by_signature(wrong).fields["b"].types == {"integer"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["boolean", "integer", "long", "float", "double"])
def test_the_types_accepted_are_those_that_mlflow_accepts(kind):
    """The table of types agrees with what MLflow itself enforces when it serves a model."""
    import mlflow
    from mlflow.models.utils import _enforce_mlflow_datatype
    from mlflow.types import DataType

    whole = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
    for values in ([1, 0, 1], [1, 0, 2]):
        for dtype in ("bool", *whole, "float16", "float32", "float64"):
            column = pd.Series(values).astype(dtype)
            try:
                _enforce_mlflow_datatype("x", column, DataType[kind])
                taken = True
            except mlflow.MlflowException:
                taken = False
            found = list(signature_mismatches([{"name": "x", "type": kind}], column.to_frame("x")))
            assert (found == []) == taken, (values, dtype)


def test_a_category_for_a_text_column_is_not_certain():
    """MLflow's server refuses it, and a model called in process may not."""
    frame = pd.DataFrame({"x": pd.Series(["a", "b"], dtype="category")})
    assert [m.certain for m in signature_mismatches([{"name": "x", "type": "string"}], frame)] == [False]


def test_a_missing_signature_is_none_and_a_damaged_one_is_an_error(tmp_path):
    """Reading the YAML builds no objects."""
    assert inputs_of(tmp_path) is None
    for text in ("a: [", "- 1", "!!python/object/apply:os.system ['true']", "signature: {inputs: '{'}"):
        (tmp_path / "MLmodel").write_text(text)
        with pytest.raises(ValueError, match="MLmodel"):
            inputs_of(tmp_path)
    (tmp_path / "MLmodel").write_text("flavors: {}")
    assert inputs_of(tmp_path) is None
    assert signed(tmp_path, {"name": "x", "type": "tensor"}) is None
    assert list(signature_mismatches([{"name": "a", "type": "long"}], pd.DataFrame({"a": np.array([1])}))) == []


def store(folder, name, content):
    path = folder / "contract" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return load_pinned(folder / "contract")


def test_examples_and_a_pinned_document_are_read_from_their_folder(tmp_path):
    """A consumer's folder is its name; an example needs no more than a request."""
    assert load_pinned(tmp_path).examples == ()
    pinned = store(tmp_path, "shop/one.json", {"request": {"body": {"a": 1}, "method": "post"}})
    (example,) = pinned.examples
    assert (example.name, example.consumer, example.method, example.status) == ("shop/one", "shop", "POST", 200)
    assert store(tmp_path, "openapi.json", {"paths": {}}).openapi == {"paths": {}}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("loose.json", {}, "belongs to no consumer"),
        ("shop/x.json", "{", "is not JSON"),
        ("shop/x.json", '{"request": {"body": NaN}}', "NaN"),
        ("shop/x.json", [], "must hold an object"),
        ("shop/x.json", {}, "required field 'request' is missing"),
        ("shop/x.json", {"requst": {}}, "Did you mean 'request'"),
        ("shop/x.json", {"request": {"pth": "/"}}, "Did you mean 'path'"),
        ("shop/x.json", {"request": {"path": "http://elsewhere/"}}, "must be a path on the service"),
        ("shop/x.json", {"request": {"path": "//elsewhere/"}}, "must be a path on the service"),
        (
            "shop/x.json",
            {"request": {}, "status": "200"},
            "'status' must be an integer from 100 to 599",
        ),
        ("shop/x.json", {"request": {}, "tolerance": -1}, "'tolerance' must be a number of at least 0; found -1"),
        ("openapi.json", {}, "no 'paths'"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(tmp_path, name, content, message):
    """A typo gets the nearest field; no example may address another host."""
    with pytest.raises(PolicyError, match=message) as error:
        store(tmp_path, name, content)
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("coercion = 'eror'", 'one of "error", "warning", "allow"; found "eror"'),
        ("coersion = 'error'", "Did you mean 'coercion'"),
        ("generated_requests = 1.5", "an integer of at least 0 and below 1,000,000; found 1.5"),
        ("generated_requests = -1", "of at least 0 and below 1,000,000; found -1"),
        ("timeout_seconds = 0", "a number above 0 and below 1,000,000; found 0"),
        ("allow = ['x']", "must be a table"),
        ("allow = { x = '' }", "'x' must be a non-empty string; found \"\""),
        ("timeout_seconds = true", "must be a number.*; found true"),
    ],
)
def test_the_settings_are_strict(tmp_path, line, message):
    """[contract] of service.toml knows its settings and their values."""
    pipeline = Pipeline("p", key="id", a=lambda f: f, b=lambda f: f)
    (tmp_path / "service.toml").write_text(f"[contract]\n{line}\n")
    with pytest.raises(PolicyError, match=message):
        Policy.load(tmp_path, pipeline)
    (tmp_path / "service.toml").write_text("[contract]\ncoercion = 'allow'\ngenerated_requests = 0\n")
    assert Policy.load(tmp_path, pipeline).contract.coercion == "allow"


def scores(change=None, rows=200, **columns):
    rng = np.random.default_rng(1)
    score = rng.beta(1, 8, rows)
    noisy = np.clip(score * rng.normal(1, 0.03, rows), 0, 1)
    frame = pd.DataFrame({"id": [f"t{n}" for n in range(rows)], "score": noisy if change is None else change(noisy)})
    frame["label"] = np.where(score > 0.1, "fraud", "good")
    frame["ratio"] = np.where(score > 0.2, np.nan, score)
    return frame.assign(**columns)


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (scores(), []),
        (scores(lambda s: np.clip(s * 1.4, 0, 1)), []),
        (scores().sample(frac=1, random_state=0), []),
        (scores(lambda s: s * 100), [("score", "unit-factor")]),
        (scores(lambda s: np.log(s / (1 - s))), [("score", "scale")]),
        (scores(lambda s: 1 - s), [("score", "class-order")]),
        (scores(label="yes"), [("label", "labels")]),
        (scores(lambda s: np.where(s > 0.1, np.nan, s)), [("score", "null-meaning")]),
    ],
)
def test_a_field_whose_meaning_changed_is_found_by_its_values(after, found):
    """Scale, order of classes, labels and nulls are found; a better model and another row order are not."""
    assert [(s.column, s.cause) for s in semantic_shifts(scores(), after, "id")] == found


def test_few_rows_give_no_finding():
    """Ten rows may correlate by chance."""
    assert list(semantic_shifts(scores(rows=10), scores(lambda s: 1 - s, rows=10), "id")) == []
