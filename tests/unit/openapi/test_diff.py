"""The OpenAPI diff: each change is classed for requests and responses by themselves, and unknown where it must be."""

import copy
import json
from collections import Counter

import pytest

from seatrial.openapi.changes import Compat
from seatrial.openapi.diff import openapi_diff

BREAKING, COMPATIBLE, UNKNOWN = Compat.BREAKING, Compat.COMPATIBLE, Compat.UNKNOWN


def document(schema, *, answers=None, **operation):
    """A document of one operation that takes and answers objects with this schema."""
    content = {"application/json": {"schema": schema}}
    answer = {"200": {"description": "", "content": {"application/json": {"schema": answers or schema}}}}
    post = {"requestBody": {"required": True, "content": content}, "responses": answer, **operation}
    return {"openapi": "3.1.0", "info": {}, "paths": {"/score": {"post": post}}}


def holding(field, *, required=True, **more):
    return {"type": "object", "properties": {"x": field}, "required": ["x"] if required else [], **more}


def classes(old, new, what=None):
    """Return (request, response): the worst class of the changes on each side, None where nothing changed."""
    changes = [c for c in openapi_diff(document(old), document(new)) if what in (None, c.kind)]
    return tuple(worst(c for c in changes if c.side == side) for side in ("request", "response"))


def worst(changes):
    """Return the worst class, None of none."""
    rank = list(Compat)
    return min((c.compat for c in changes), key=rank.index, default=None)


TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


def answering(*statuses):
    return {"responses": {status: {"description": ""} for status in statuses}}


CHANGES = {
    # name: (old field, new field, class in a request, class in a response)
    "type": (TEXT, WHOLE, BREAKING, BREAKING),
    "integer to number": (WHOLE, NUMBER, COMPATIBLE, BREAKING),
    "number to integer": (NUMBER, WHOLE, BREAKING, COMPATIBLE),
    "one type more": (TEXT, {"type": ["string", "integer"]}, COMPATIBLE, BREAKING),
    "any to one": ({}, TEXT, BREAKING, COMPATIBLE),
    "enum narrowed": ({"enum": ["a", "b"]}, {"enum": ["a"]}, BREAKING, COMPATIBLE),
    "enum widened": ({"enum": ["a"]}, {"enum": ["a", "b"]}, COMPATIBLE, BREAKING),
    "enum new": (TEXT, {"type": "string", "enum": ["a"]}, BREAKING, COMPATIBLE),
    "const for enum": ({"enum": ["a", "b"]}, {"const": "a"}, BREAKING, COMPATIBLE),
    "nullable": (TEXT, {"type": ["string", "null"]}, COMPATIBLE, BREAKING),
    "nullable as 3.0 says it": (TEXT, {"type": "string", "nullable": True}, COMPATIBLE, BREAKING),
    "no longer nullable": ({"anyOf": [TEXT, {"type": "null"}]}, TEXT, BREAKING, COMPATIBLE),
    "format other": ({**TEXT, "format": "date"}, {**TEXT, "format": "date-time"}, BREAKING, BREAKING),
    "format new": (TEXT, {**TEXT, "format": "date"}, BREAKING, COMPATIBLE),
    "own format new": (TEXT, {**TEXT, "format": "sku"}, UNKNOWN, COMPATIBLE),
    "format gone": ({**TEXT, "format": "date"}, TEXT, COMPATIBLE, BREAKING),
    "own format gone": ({**TEXT, "format": "sku"}, TEXT, COMPATIBLE, UNKNOWN),
    "int32 to int64": ({**WHOLE, "format": "int32"}, {**WHOLE, "format": "int64"}, COMPATIBLE, BREAKING),
    "maximum lower": ({**WHOLE, "maximum": 9}, {**WHOLE, "maximum": 8}, BREAKING, COMPATIBLE),
    "maximum gone": ({**WHOLE, "maximum": 9}, WHOLE, COMPATIBLE, BREAKING),
    "minimum new": (WHOLE, {**WHOLE, "minimum": 1}, BREAKING, COMPATIBLE),
    "minimum excluded": ({**NUMBER, "minimum": 0}, {**NUMBER, "exclusiveMinimum": 0}, BREAKING, COMPATIBLE),
    "scale": ({**NUMBER, "minimum": 0, "maximum": 1}, {**NUMBER, "minimum": 0, "maximum": 100}, BREAKING, BREAKING),
    "text shorter": ({**TEXT, "maxLength": 9}, {**TEXT, "maxLength": 8}, BREAKING, COMPATIBLE),
    "pattern new": (TEXT, {**TEXT, "pattern": "^a"}, BREAKING, COMPATIBLE),
    "pattern other": ({**TEXT, "pattern": "^a"}, {**TEXT, "pattern": "^b"}, BREAKING, BREAKING),
    "pattern not decided": ({**TEXT, "pattern": "^q+z$"}, {**TEXT, "pattern": "^q+zz?$"}, UNKNOWN, UNKNOWN),
    "items": ({"type": "array", "items": TEXT}, {"type": "array", "items": WHOLE}, BREAKING, BREAKING),
    "unique": ({"type": "array"}, {"type": "array", "uniqueItems": True}, BREAKING, COMPATIBLE),
    "not": (TEXT, {**TEXT, "not": {"const": "a"}}, BREAKING, UNKNOWN),
    "overlapping oneOf": (TEXT, {"oneOf": [{**TEXT, "maxLength": 3}, {**TEXT, "minLength": 2}]}, BREAKING, UNKNOWN),
    "another document": (TEXT, {"$ref": "other.json#/X"}, UNKNOWN, UNKNOWN),
    "unit": ({**NUMBER, "x-unit": "EUR"}, {**NUMBER, "x-unit": "cent"}, BREAKING, BREAKING),
    "meaning": (
        {**NUMBER, "description": "in minor units"},
        {**NUMBER, "description": "in major units"},
        UNKNOWN,
        UNKNOWN,
    ),
    "default of what is always sent": ({**WHOLE, "default": 1}, {**WHOLE, "default": 2}, COMPATIBLE, COMPATIBLE),
}  # fmt: skip
SAME = {
    "nothing": (TEXT, TEXT),
    "integers excluded or not": ({**WHOLE, "exclusiveMaximum": 10}, {**WHOLE, "maximum": 9}),
    "3.0 and 3.1 bounds": (
        {**NUMBER, "minimum": 0, "exclusiveMinimum": True},
        {**NUMBER, "exclusiveMinimum": 0},
    ),
    "null in two ways": ({"type": "string", "nullable": True}, {"anyOf": [TEXT, {"type": "null"}]}),
    "allOf of one": (TEXT, {"allOf": [TEXT]}),
    "title": (TEXT, {**TEXT, "title": "X", "examples": ["a"]}),
    "order of types": ({"type": ["string", "integer"]}, {"anyOf": [WHOLE, TEXT]}),
    "const and enum of one": ({"const": 3}, {"enum": [3]}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_a_field_is_classed_on_each_side(name):
    """A narrower request breaks and a wider answer breaks; what cannot be told is unknown."""
    old, new, request, response = CHANGES[name]
    assert classes(holding(old), holding(new)) == (request, response)


@pytest.mark.parametrize("name", SAME)
def test_the_same_said_otherwise_is_no_change(name):
    """Nullable, bounds and types have several spellings; none of them is a change."""
    old, new = SAME[name]
    assert openapi_diff(document(holding(old)), document(holding(new))) == []
    assert openapi_diff(document(holding(new)), document(holding(old))) == []


CLOSED = {"additionalProperties": False}
OBJECTS = {
    "removed": (holding(TEXT), {"type": "object"}, UNKNOWN, BREAKING),
    "removed from a closed one": (holding(TEXT, **CLOSED), {"type": "object", **CLOSED}, BREAKING, BREAKING),
    "optional removed": (holding(TEXT, required=False), {"type": "object"}, UNKNOWN, UNKNOWN),
    "required added": ({"type": "object"}, holding(TEXT), BREAKING, COMPATIBLE),
    "optional added": ({"type": "object"}, holding(TEXT, required=False), COMPATIBLE, COMPATIBLE),
    "added to a closed": ({"type": "object", **CLOSED}, holding(TEXT, required=False, **CLOSED), COMPATIBLE, BREAKING),
    "required now": (holding(TEXT, required=False), holding(TEXT), BREAKING, COMPATIBLE),
    "optional now": (holding(TEXT), holding(TEXT, required=False), COMPATIBLE, BREAKING),
    "closed": (holding(TEXT), holding(TEXT, **CLOSED), BREAKING, COMPATIBLE),
    "opened": (holding(TEXT, **CLOSED), holding(TEXT), COMPATIBLE, UNKNOWN),
    "values of a map": (
        {"type": "object", "additionalProperties": TEXT},
        {"type": "object", "additionalProperties": WHOLE},
        BREAKING,
        BREAKING,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_a_change_of_an_objects_fields_is_classed_on_each_side(name):
    """Fields that come, go, become required or optional, and what is said of those not named."""
    old, new, request, response = OBJECTS[name]
    assert classes(old, new) == (request, response)


def test_a_renamed_field_is_named_with_its_new_name():
    """One field gone and one of the same form come is told as renamed."""
    new = {"type": "object", "properties": {"y": TEXT}, "required": ["y"]}
    told = [c for c in openapi_diff(document(holding(TEXT)), document(new)) if c.kind == "renamed"]
    assert {(c.side, c.field) for c in told} == {("request", "x"), ("response", "x")}
    assert "'y'" in told[0].message


def test_references_are_followed_and_those_in_a_circle_end():
    """A schema that holds itself is compared once, and a change inside it is found."""
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}, "x": TEXT}}
    old = document({"$ref": "#/components/schemas/Node"}) | {"components": {"schemas": {"Node": node}}}
    new = copy.deepcopy(old)
    assert openapi_diff(old, new) == []
    new["components"]["schemas"]["Node"]["properties"]["x"] = WHOLE
    assert {(c.field, c.kind) for c in openapi_diff(old, new)} == {("x", "type")}
    loop = document({"$ref": "#/components/schemas/A"}) | {
        "components": {"schemas": {"A": {"$ref": "#/components/schemas/A"}}}
    }
    assert {c.compat for c in openapi_diff(old, loop)} == {UNKNOWN}


@pytest.mark.parametrize(
    ("old", "new", "what", "compat"),
    [
        ({}, answering("422"), "status", BREAKING),
        (answering("200", "422"), answering("200", "400"), "status", BREAKING),
        (answering("200", "422"), answering("200"), "status", UNKNOWN),
        (answering("200"), answering("200", "429"), "status", COMPATIBLE),
        ({}, answering("200"), "media-type", BREAKING),
        ({}, {"parameters": [{"in": "query", "name": "q", "required": True}]}, "added", BREAKING),
        ({}, {"parameters": [{"in": "query", "name": "q"}]}, "added", COMPATIBLE),
        ({"parameters": [{"in": "query", "name": "q"}]}, {}, "removed", UNKNOWN),
        ({}, {"security": [{"key": []}]}, "security", BREAKING),
        ({}, {"requestBody": {"required": True, "content": {"text/csv": {}}}}, "media-type", BREAKING),
    ],
)  # fmt: skip
def test_a_change_of_an_operation_is_classed(old, new, what, compat):
    """Status codes, parameters, media types and credentials."""
    changes = [
        c for c in openapi_diff(document(holding(TEXT), **old), document(holding(TEXT), **new)) if c.kind == what
    ]
    assert compat in {c.compat for c in changes}


def test_routes_and_methods_that_go_break_and_those_that_come_do_not():
    """A path parameter's name is nobody's business."""
    old, new = document(TEXT), document(TEXT)
    new["paths"]["/other"] = new["paths"].pop("/score")
    told = {(c.operation, c.kind, c.compat) for c in openapi_diff(old, new)}
    assert told == {("POST /score", "route", BREAKING), ("POST /other", "route", COMPATIBLE)}
    for name, side in (("id", old), ("key", new)):
        side["paths"] = {
            f"/x/{{{name}}}": {"get": {"parameters": [{"in": "path", "name": name, "required": True}], "responses": {}}}
        }
    assert openapi_diff(old, new) == []


def test_what_alternatives_refer_to_is_compared_too():
    """Alternatives that are alike in words differ where what they refer to does."""
    one, two = ({"type": "object", "properties": {n: {"$ref": "#/components/schemas/X"}}} for n in "ab")
    old = document({"anyOf": [one, two]}) | {"components": {"schemas": {"X": TEXT}}}
    new = copy.deepcopy(old) | {"components": {"schemas": {"X": WHOLE}}}
    assert {(c.field, c.kind) for c in openapi_diff(old, new)} == {("a", "type"), ("b", "type")}


def test_a_document_that_cannot_be_read_is_unknown_and_never_the_same():
    """Swagger 2 and nonsense are told as not compared."""
    for other in ({"swagger": "2.0", "paths": {}}, {}, {"openapi": "3.1.0"}):
        (change,) = openapi_diff(document(TEXT), other)
        assert change.compat is UNKNOWN
    odd = document(TEXT)
    odd["paths"]["/score"]["post"]["responses"] = {"200": "nonsense"}
    assert UNKNOWN in {c.compat for c in openapi_diff(document(TEXT), odd)}


def test_the_sides_are_counted_apart():
    """A change that widens is compatible in the request and breaks the response."""
    changes = openapi_diff(document(holding(WHOLE)), document(holding(NUMBER)))
    counts = Counter((change.side, change.compat) for change in changes)
    assert counts["request", COMPATIBLE] == counts["response", BREAKING] == 1
    assert counts["request", BREAKING] == counts["response", COMPATIBLE] == 0


def test_every_change_is_plain_text_that_json_can_carry():
    """The changes are kept with the verdict."""
    changes = openapi_diff(document(holding(TEXT)), document(holding(WHOLE)))
    assert json.loads(json.dumps([vars(c) for c in changes]))
