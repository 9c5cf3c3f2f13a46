"""What holds for any two schemas and any edit: compatible is never wrong by jsonschema, and no edit is silent."""

import copy
import json

import jsonschema
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from seatrial.openapi.changes import Compat
from seatrial.openapi.diff import openapi_diff
from seatrial.openapi.silent import SILENT
from tests.unit.openapi.test_silence import WHOLE

ROUNDS = settings(
    deadline=None, max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
SMALL = st.integers(-2, 4)
SIZE = st.integers(0, 3)
TEXTS = ["", "a", "b", "ab", "abc"]
VALUES = [None, True, False, -2, -1, 0, 1, 2, 3, 4, 5, 0.5, 1.5, *TEXTS, [], [1], ["a"], [0.5], [1, 1], {}]
VALUES += [{"p": v} for v in (None, True, 0, 3, 1.5, "a", "ab")] + [{"q": v} for v in (0, "a", True)]
VALUES += [{"p": v, "q": w} for v in (0, 3, "a") for w in (1, "b", None)]


def words(**optional):
    return st.fixed_dictionaries({}, optional=optional)


SCALARS = st.one_of(
    words(minimum=SMALL, maximum=SMALL, exclusiveMinimum=SMALL, multipleOf=st.sampled_from([1, 2])).flatmap(
        lambda s: st.sampled_from(["integer", "number"]).map(lambda t: {"type": t, **s})
    ),
    words(minLength=SIZE, maxLength=SIZE, pattern=st.sampled_from(["^a", "b$", ".*"])).map(
        lambda s: {"type": "string", **s}
    ),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {}, {"type": ["integer", "string"], "minimum": 1}]),
    st.lists(st.sampled_from([None, True, False, 0, 1, 1.5, "a", "b"]), min_size=1, max_size=3).map(
        lambda v: {"enum": v}
    ),
    st.sampled_from([{"minimum": 1}, {"const": 1}, {"not": {"const": 1}}, {"type": "boolean", "enum": [True, False]}]),
)


def combined(inner):
    branches = st.lists(inner, min_size=1, max_size=3)
    fields = st.dictionaries(st.sampled_from(["p", "q"]), inner, max_size=2)
    return st.one_of(
        st.builds(lambda word, b: {word: b}, st.sampled_from(["anyOf", "oneOf", "allOf"]), branches),
        st.builds(
            lambda word, b, rest: {word: b, **rest},
            st.sampled_from(["anyOf", "oneOf"]),
            branches,
            st.sampled_from([{"type": "number"}, {"type": "string"}, {"minimum": 1}, {"type": ["string", "number"]}]),
        ),
        words(items=inner, minItems=SIZE, maxItems=SIZE, uniqueItems=st.booleans()).map(
            lambda s: {"type": "array", **s}
        ),
        st.builds(
            lambda f, needed, more: {
                "type": "object",
                "properties": f,
                "required": [n for n in f if n in needed],
                "additionalProperties": more,
            },
            fields,
            st.sets(st.sampled_from(["p", "q"])),
            st.sampled_from([False, False, {"type": "string"}]),
        ),
    )


SCHEMAS = st.recursive(SCALARS, combined, max_leaves=5)


def edit(schema):
    """Strategies of schemas that are near to one: a part replaced."""
    near = [SCHEMAS]
    if isinstance(schema, dict):
        for word in ("anyOf", "oneOf", "allOf"):
            for place, branch in enumerate(schema.get(word, [])):
                near += [
                    edit(branch).map(
                        lambda b, w=word, p=place: {**schema, w: [*schema[w][:p], b, *schema[w][p + 1 :]]}
                    ),
                    st.just({**schema, word: [b for n, b in enumerate(schema[word]) if n != place] or [{}]}),
                ]
        near.append(words(minimum=SMALL, maxLength=SIZE, minLength=SIZE, maximum=SMALL).map(lambda s: {**schema, **s}))
        near += [st.just({k: v for k, v in schema.items() if k != key}) for key in schema]
    return st.one_of(near)


def _put(schema, word, place, branch):
    return {**schema, word: [*schema[word][:place], branch, *schema[word][place + 1 :]]}


PAIRS = SCHEMAS.flatmap(lambda schema: st.tuples(st.just(schema), edit(schema)))


def document(schema, side):
    content = {"content": {"application/json": {"schema": schema}}}
    operation = {"requestBody": content, "responses": {}} if side == "request" else {"responses": {"200": content}}
    return {"openapi": "3.1.0", "info": {}, "paths": {"/x": {"post": operation}}}


def allowed(schema):
    """The values that a schema allows, by jsonschema."""
    validator = jsonschema.Draft202012Validator(schema)
    return {json.dumps(v) for v in VALUES if validator.is_valid(v)}


def documented(schema, texts):
    """Leave out objects with fields that a schema does not name: callers send the documented ones."""
    named = json.dumps(schema)
    return {t for t in texts if all(f'"{n}":' in named for n in ("p", "q") if f'"{n}":' in t)}


@ROUNDS
@given(PAIRS)
def test_what_is_called_compatible_refuses_no_request_of_before(pair):
    """Where no change is breaking or unknown, all that the old schema allows is allowed by the new one."""
    old, new = pair
    changes = openapi_diff(document(old, "request"), document(new, "request"))
    if all(c.compat is Compat.COMPATIBLE for c in changes):
        assert documented(old, allowed(old)) <= allowed(new)


@ROUNDS
@given(PAIRS)
def test_what_is_called_compatible_answers_nothing_new(pair):
    """Where no change is breaking or unknown, all that the new schema allows was allowed by the old one."""
    old, new = pair
    changes = openapi_diff(document(old, "response"), document(new, "response"))
    if all(c.compat is Compat.COMPATIBLE for c in changes):
        assert documented(old, allowed(new)) <= allowed(old)


@ROUNDS
@given(SCHEMAS)
def test_a_schema_is_equal_to_itself(schema):
    """However odd a schema is, nothing is reported of the same one."""
    for side in ("request", "response"):
        assert openapi_diff(document(schema, side), document(copy.deepcopy(schema), side)) == []


def places(node, way=()):
    """Yield the ways to every key of a document that is not told to people alone."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in SILENT and (not way or way[-1] not in ("properties", "headers")):
                continue
            yield (*way, key)
            yield from places(value, (*way, key))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from places(value, (*way, place))


PLACES = [p for p in places(WHOLE) if p[0] not in ("info", "openapi")]
ODD = st.sampled_from(["odd", 7, None, True, [], {}, ["odd"], {"odd": 1}, {"type": "boolean"}])


@ROUNDS
@given(st.sampled_from(PLACES), ODD, st.sampled_from(["set", "remove", "add"]))
def test_no_edit_of_a_document_is_silent(way, value, how):
    """A value replaced, a key removed or a key added anywhere is reported both ways, and nothing raises."""
    assume(not (way[-1] == "Key" and "security" in way and not value))  # null and {} are a list of no scopes
    assume(not (way == ("components",) and how == "add" and value == {}))  # a section of nothing
    after = copy.deepcopy(WHOLE)
    node = after
    for part in way[:-1]:
        node = node[part]
    if how == "remove":
        del node[way[-1]]
    elif how == "set":
        assume(node[way[-1]] != value)
        node[way[-1]] = value
    else:
        assume(isinstance(node[way[-1]], dict))
        node[way[-1]]["odd"] = value
    assert openapi_diff(WHOLE, after)
    assert openapi_diff(after, WHOLE)
