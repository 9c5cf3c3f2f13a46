"""Nothing changes in silence: what no rule judges is unknown, and what is told to people alone is no change."""

import copy

import pytest

from seatrial.openapi.changes import Compat
from seatrial.openapi.diff import openapi_diff

BREAKING, COMPATIBLE, UNKNOWN = Compat.BREAKING, Compat.COMPATIBLE, Compat.UNKNOWN
ITEM = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "pay": {"type": "number"}, "file": {"type": "string"}},
    "required": ["id"],
}
WHOLE = {
    "openapi": "3.1.0",
    "info": {"title": "Scores", "version": "1"},
    "servers": [{"url": "/v1"}],
    "paths": {
        "/score/{id}": {
            "post": {
                "parameters": [
                    {"in": "path", "name": "id", "required": True, "schema": {"type": "integer"}},
                    {"in": "query", "name": "tags", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"in": "query", "name": "flat", "schema": {"type": "number", "default": None}},
                    {"in": "query", "name": "doc", "content": {"application/json": {"schema": {"type": "object"}}}},
                ],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Item"}},
                        "multipart/form-data": {
                            "schema": {"$ref": "#/components/schemas/Item"},
                            "encoding": {"file": {"contentType": "image/png, image/jpeg"}},
                        },
                    }
                },
                "responses": {
                    "200": {
                        "description": "The score.",
                        "headers": {"X-Left": {"required": True, "schema": {"type": "integer"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}},
                    }
                },
                "security": [{"Key": []}],
                "callbacks": {"done": {"{$url}": {"post": {"responses": {}}}}},
            }
        }
    },
    "components": {
        "schemas": {"Item": ITEM, "Other": {"type": "string"}},
        "securitySchemes": {
            "Key": {"type": "apiKey", "in": "header", "name": "X-Key"},
            "Bearer": {"type": "http", "scheme": "bearer"},
        },
    },
}
OPERATION = ("paths", "/score/{id}", "post")
BODY = (*OPERATION, "requestBody")
ANSWER = (*OPERATION, "responses", "200")
QUERY = (*OPERATION, "parameters", 1)
KEY = ("components", "securitySchemes", "Key")
FIELD = ("components", "schemas", "Item", "properties")
GONE = object()


def edited(*changes, start=WHOLE):
    """Return the document with values set at paths; GONE removes one."""
    document = copy.deepcopy(start)
    for path, value in changes:
        node = document
        for part in path[:-1]:
            node = node[part] if isinstance(node, list) or part in node else node.setdefault(part, {})
        if value is GONE:
            del node[path[-1]]
        else:
            node[path[-1]] = copy.deepcopy(value)
    return document


def worst(before, after, side=None):
    found = {c.compat for c in openapi_diff(before, after) if side in (None, c.side)}
    return next((c for c in Compat if c in found), None)


CHANGED = {
    # what: (path, value, the worst class; None where breaking and unknown are both fine)
    "the header of a key": ((*KEY, "name"), "X-Token", BREAKING),
    "the place of a key": ((*KEY, "in"), "query", BREAKING),
    "the kind of a scheme": (KEY, {"type": "http", "scheme": "basic"}, BREAKING),
    "the form of a token": ((*KEY, "bearerFormat"), "JWT", UNKNOWN),
    "another scheme": ((*OPERATION, "security"), [{"Bearer": []}], BREAKING),
    "two schemes at once": ((*OPERATION, "security"), [{"Key": [], "Bearer": []}], BREAKING),
    "a choice of schemes": ((*OPERATION, "security"), [{"Key": []}, {"Bearer": []}], COMPATIBLE),
    "a scope": ((*OPERATION, "security"), [{"Key": ["write"]}], BREAKING),
    "no credentials": ((*OPERATION, "security"), [], COMPATIBLE),
    "a default where null was": ((*OPERATION, "parameters", 2, "schema", "default"), 0.0, BREAKING),
    "a default of an optional field": ((*FIELD, "pay", "default"), 0.0, UNKNOWN),
    "explode": ((*QUERY, "explode"), False, BREAKING),
    "style": ((*QUERY, "style"), "pipeDelimited", BREAKING),
    "an empty value": ((*QUERY, "allowEmptyValue"), True, COMPATIBLE),
    "reserved characters": ((*QUERY, "allowReserved"), True, UNKNOWN),
    "a parameter's media type": ((*OPERATION, "parameters", 3, "content"), {"text/csv": {}}, BREAKING),
    "a parameter's content": ((*OPERATION, "parameters", 3, "content", "application/json", "schema"),
                              {"type": "array"}, BREAKING),
    "a parameter as a document": (QUERY, {"in": "query", "name": "tags", "content": {"text/csv": {}}}, BREAKING),
    "the type of a header": ((*ANSWER, "headers", "X-Left", "schema", "type"), "string", BREAKING),
    "a header gone": ((*ANSWER, "headers", "X-Left"), GONE, BREAKING),
    "a header optional": ((*ANSWER, "headers", "X-Left", "required"), False, BREAKING),
    "read-only": ((*FIELD, "pay", "readOnly"), True, UNKNOWN),
    "write-only": ((*FIELD, "pay", "writeOnly"), True, UNKNOWN),
    "write-only and required": ((*FIELD, "id", "writeOnly"), True, BREAKING),
    "a discriminator": (("components", "schemas", "Item", "discriminator"), {"propertyName": "id"}, UNKNOWN),
    "contentEncoding": ((*FIELD, "file", "contentEncoding"), "base64", UNKNOWN),
    "contentMediaType": ((*FIELD, "file", "contentMediaType"), "image/png", UNKNOWN),
    "contentSchema": ((*FIELD, "file", "contentSchema"), {"type": "object"}, BREAKING),
    "the parts of a form": ((*BODY, "content", "multipart/form-data", "encoding", "file", "contentType"),
                            "image/png", BREAKING),
    "the style of a part": ((*BODY, "content", "multipart/form-data", "encoding", "file", "style"), "form", UNKNOWN),
    "a body required": ((*BODY, "required"), True, BREAKING),
    "no body": (BODY, GONE, BREAKING),
    "a callback": ((*OPERATION, "callbacks", "done"), {"{$other}": {}}, UNKNOWN),
    "an address": (("servers", 0, "url"), "/v2", UNKNOWN),
    "an address of one path": (("paths", "/score/{id}", "servers"), [{"url": "/v2"}], UNKNOWN),
    "a dialect": (("jsonSchemaDialect",), "urn:mine", UNKNOWN),
    "a keyword of the future": ((*FIELD, "pay", "roundedTo"), 2, UNKNOWN),
    "a key of the future": ((*OPERATION, "retry"), "never", UNKNOWN),
    "a link": ((*ANSWER, "links"), {"next": {"operationId": "x"}}, COMPATIBLE),
    "what is used nowhere": (("components", "schemas", "Other", "type"), "integer", COMPATIBLE),
    "a path that cannot be read": (("paths", "/other"), {"$ref": "other.json"}, UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_outside_the_values_of_a_schema_is_told(name):
    """Credentials, defaults, styles, headers, directions, encodings, and what no rule knows."""
    path, value, expected = CHANGED[name]
    assert worst(WHOLE, edited((path, value))) is expected


def test_what_no_rule_judges_is_named_with_its_path():
    """A reader finds the place in the document."""
    (change,) = openapi_diff(WHOLE, edited(((*OPERATION, "retry"), "never")))
    assert change.path == "$.paths['/score/{id}'].post.retry"
    assert change.path in change.message


def test_the_credentials_are_told_with_their_places():
    """The message says what a caller sent and must send."""
    (change,) = openapi_diff(WHOLE, edited(((*KEY, "name"), "X-Token")))
    assert "'X-Key' in the header" in change.message
    assert "'X-Token' in the header" in change.message


SAME = {
    "a description": ((*FIELD, "pay", "description"), "What is paid."),
    "a title": ((*FIELD, "pay", "title"), "Pay"),
    "examples": ((*FIELD, "pay", "examples"), [1.5]),
    "a summary": ((*OPERATION, "summary"), "Score."),
    "tags": ((*OPERATION, "tags"), ["scores"]),
    "an operationId": ((*OPERATION, "operationId"), "score"),
    "deprecation": ((*OPERATION, "deprecated"), True),
    "an extension": ((*OPERATION, "x-owner"), "risk"),
    "an extension of a schema": ((*FIELD, "pay", "x-order"), 3),
    "the version of the service": (("info", "version"), "2"),
    "the words of a response": ((*ANSWER, "description"), "The answer."),
    "the case of a header": ((*KEY, "name"), "x-key"),
}


@pytest.mark.parametrize("name", SAME)
def test_what_is_told_to_people_is_no_change(name):
    """Descriptions, examples, tags and extensions change nothing."""
    path, value = SAME[name]
    assert openapi_diff(WHOLE, edited((path, value))) == []
    assert openapi_diff(edited((path, value)), WHOLE) == []


def test_order_is_no_change():
    """Keys, parameters, required fields and schemes in another order are the same document."""

    def turned(node):
        if isinstance(node, list):
            return [turned(each) for each in reversed(node)]
        return {k: turned(v) for k, v in reversed(node.items())} if isinstance(node, dict) else node

    assert openapi_diff(WHOLE, turned(WHOLE)) == []


def test_a_scheme_under_another_name_is_the_same_scheme():
    """Callers send the same header."""
    scheme = WHOLE["components"]["securitySchemes"]["Key"]
    mine = (("components", "securitySchemes", "Mine"), scheme)
    after = edited((KEY, GONE), mine, ((*OPERATION, "security"), [{"Mine": []}]))
    assert worst(WHOLE, after) in (None, COMPATIBLE)


@pytest.mark.parametrize(("word", "side"), [("readOnly", "request"), ("writeOnly", "response")])
def test_a_change_of_a_field_that_is_never_sent_breaks_nobody(word, side):
    """A read-only field is no part of a request, and a write-only field is none of a response."""
    before = edited(((*FIELD, "pay", word), True))
    for value in ({"type": "string", word: True}, {"type": "number", word: True, "maximum": 1}):
        after = edited(((*FIELD, "pay"), value))
        assert worst(before, after, side) is COMPATIBLE
        assert worst(before, after, "response" if side == "request" else "request") in (BREAKING, COMPATIBLE)


JSON = (*BODY, "content", "application/json")
FINE = {
    "a charset": [((*BODY, "content"), {"application/json; charset=utf-8": {"schema": ITEM}})],
    "any media type in a request": [((*BODY, "content"), {"*/*": {"schema": ITEM}})],
    "any application in a request": [((*BODY, "content"), {"application/*": {"schema": ITEM}})],
    "a new required field that is only answered": [
        ((*FIELD, "made"), {"type": "string", "readOnly": True}),
        (("components", "schemas", "Item", "required"), ["id", "made"]),
    ],
    "a list of both truth values": [((*FIELD, "ok"), {"type": "boolean", "enum": [True, False]})],
}


@pytest.mark.parametrize("name", FINE)
def test_what_breaks_nobody_is_compatible(name):
    """Parameters of media types, ranges in requests, fields that are only answered, lists of all values."""
    before = edited((JSON, {"schema": ITEM}), ((*BODY, "content"), {"application/json": {"schema": ITEM}}))
    if "field" in name:
        before = WHOLE
    if "truth" in name:
        before = edited(((*FIELD, "ok"), {"type": "boolean"}))
    after = edited(*FINE[name], start=before)
    assert worst(before, after) in (None, COMPATIBLE)


def test_an_answer_of_any_media_type_is_no_promise():
    """What a request may be is wider with a range; what an answer may be is too."""
    after = edited(((*ANSWER, "content"), {"*/*": {"schema": ITEM}}))
    assert worst(WHOLE, after, "response") is BREAKING
    assert worst(after, WHOLE, "response") is COMPATIBLE


def test_a_description_that_names_another_unit_is_unknown():
    """The unit is in the words alone."""
    cents, euros = (edited(((*FIELD, "pay", "description"), f"Pay in {unit}.")) for unit in ("cents", "euros"))
    assert worst(cents, euros) is UNKNOWN
