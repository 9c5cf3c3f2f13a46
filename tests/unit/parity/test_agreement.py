"""Which tolerance holds for which column, what it may apply to, and what the kinds beside Tolerance allow."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from seatrial import Cosine, Json, Pipeline, Policy, StagePolicy, Text, Tolerance, TopK, Trial, capture
from seatrial.errors import PolicyError
from seatrial.parity.agreement.choose import chosen
from seatrial.parity.compare import compare
from seatrial.parity.result import ColumnParity


def only(expected: list[Any] | pd.Series, actual: list[Any] | pd.Series, allowed: Any) -> ColumnParity:
    frames = [pd.DataFrame({"id": range(len(side)), "x": pd.Series(side)}) for side in (expected, actual)]
    (column,) = compare(*frames, key="id", tolerances={"x": allowed}, distributions=False).columns
    return column


# --- names and patterns -------------------------------------------------------------------------------------


def test_the_most_specific_name_holds():
    """The own name, then the pattern with most letters, then the longest."""
    allowed = {"*": 0, "score*": 1, "score_?": 2, "score_b": 3, "*_b": 4, "a[bc]": 5, "score_**": 6}
    found = chosen(allowed, ["score_b", "score_a", "score_long", "scores", "x_b", "ab", "a[bc]", "other"])
    assert found == {
        "score_b": 3, "score_a": 6, "score_long": 6, "scores": 1, "x_b": 4, "ab": 5, "a[bc]": 5, "other": 0,
    }  # fmt: skip


def test_a_pattern_holds_for_the_columns_that_it_can_apply_to():
    """A number near enough passes, text is still exact, and the key is not meant."""
    e = pd.DataFrame({"id": [1, 2], "score_a": [1.0, 2.0], "score_b": [[1.0], [2.0]], "name": ["a", "b"]})
    a = e.assign(score_a=e["score_a"] * 1.01, score_b=[[1.01], [2.02]])
    for pattern in ("*", "score*", "s*_?"):
        assert compare(e, a, key="id", tolerances={pattern: Tolerance(rtol=0.1)}).ok
    assert not compare(e, a, key="id", tolerances={"*_a": Tolerance(rtol=0.1)}).ok
    assert not compare(e, a.assign(name="c"), key="id", tolerances={"*": Tolerance(rtol=0.1)}).ok
    assert not compare(e, a, key="id", tolerances={"*": Tolerance(rtol=0.1), "score_a": Tolerance()}).ok


CELLS = {
    "text": ["a", "b"], "flag": [True, False], "count": [1, 2], "share": [0.5, 0.25], "when": pd.to_datetime([0, 1]),
    "vector": [[0.5], [1.5]], "items": [["a"], ["b"]], "dicts": [{"a": 1.5, "t": "x"}, {"a": 2.5, "t": "y"}],
    "boxes": [[{"s": 0.5}], [{"s": 1.5}]], "json": ['{"a": 1}', '{"a": 2}'],
}  # fmt: skip
REFUSED = [
    ("text", Tolerance(rtol=1e-3), "'text' of type string cannot have a Tolerance. rtol and atol apply to numbers"),
    ("flag", Tolerance(atol=1.0), "'flag' of type bool cannot have a Tolerance"),
    ("count", Tolerance(ulp=1), "ulp applies to floats"),
    ("when", Tolerance(rtol=1e-3), "rtol would be relative to a date"),
    ("share", Tolerance(as_set=True), "as_set applies to lists"),
    ("items", Tolerance(atol=1.0), "'items' of type list.string. cannot have a Tolerance"),
    ("text", Cosine(0.9), "'text' of type string cannot have a Cosine. Cosine applies to vectors"),
    ("share", Cosine(0.9), "Cosine applies to vectors"),
    ("items", Cosine(0.9), "Cosine applies to vectors"),
    ("dicts", Cosine(0.9), "Cosine applies to vectors"),
    ("share", TopK(3), "'share' of type float64 cannot have a TopK. TopK applies to ranked lists"),
    ("boxes", TopK(3), "lists of dicts with by="),
    ("items", TopK(3, by="id"), "lists of dicts where by= is given"),
    ("count", Text("strip"), "'count' of type int64 cannot have a Text. Text applies to text"),
    ("vector", Text("strip"), "Text applies to text"),
    ("text", Json({"$.a": Tolerance()}), "Json applies to dicts, lists, structs, and text that is JSON"),
    ("share", Json({"$": Tolerance()}), "Json applies to"),
    ("dicts", Json({"$.aa": Tolerance()}), r"leads nowhere. Did you mean '\$.a'\? The cells have: \$, \$.a, \$.t"),
    ("dicts", Json({"$.t": Tolerance(atol=1.0)}), r"'\$.t', where the cells hold string. rtol and atol apply"),
    ("boxes", Json({"$[*].s": TopK(1)}), "TopK applies to ranked lists"),
    ("text*", Tolerance(rtol=1e-3), "The Tolerance for 'text.' fits no column: 'text' of type string"),
    ("scor*", Tolerance(), "'scor.', which matches no column of the reference"),
    ("shares", Tolerance(), "'shares', which is no column of the reference.*Did you mean 'share'"),
    ("id", Tolerance(), "Keys are compared exactly"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "allowed", "says"), REFUSED)
def test_what_cannot_apply_is_refused(name, allowed, says):
    """What was found, and what is allowed."""
    frame = pd.DataFrame({"id": [1, 2], **CELLS})
    with pytest.raises(PolicyError, match=says):
        compare(frame, frame, key="id", tolerances={name: allowed})


def test_a_policy_is_refused_when_it_meets_the_reference():
    """With its file, before anything is judged."""
    path = Pipeline("p", key="id", raw=lambda f: f, made=lambda f: f.assign(title="a"))
    reference = capture(path, pd.DataFrame({"id": [1, 2], "v": [0.5, 1.5]}))
    for allowed, says in (
        ({"title": Cosine(0.9)}, "made.py: Column 'title'"),
        ({"tile": Text("strip")}, "mean 'title'"),
    ):
        with pytest.raises(PolicyError, match=says):
            Trial(path, reference, policy=Policy({"made": StagePolicy(tolerances=allowed)}))
    Trial(
        path, reference, policy=Policy({"made": StagePolicy(tolerances={"t*": Text("strip"), "*": Tolerance(rtol=1)})})
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Cosine(2), "a cosine is a number"), (lambda: Cosine("1"), "a cosine"),
        (lambda: Cosine(0.9, share=2), "share"),
        (lambda: TopK(0), "1 or more"), (lambda: TopK(True), "1 or more"), (lambda: TopK(3, overlap=0), "overlap"),
        (lambda: Text(""), "Known: NFC"), (lambda: Text("casefolds"), "Did you mean 'casefold'"),
        (lambda: Text(1), "Known"),
        (lambda: Json({}), "name a path"), (lambda: Json({"a": Tolerance()}), "no path into a cell"),
        (lambda: Json({"$.": Tolerance()}), "no path"), (lambda: Json({"$.a": 1e-3}), "Allowed: Tolerance, Cosine"),
        (lambda: Json({"$.a": Tolerance(share=0.1)}), "state it once"),
        (lambda: Json({"$": Json({"$": Text("strip")})}), "Allowed"),
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(make, says):
    with pytest.raises(PolicyError, match=says):
        make()


# --- the kinds ----------------------------------------------------------------------------------------------


def as_lists(vectors: Any) -> list[pd.Series]:
    """Return vectors in every form that a column can hold them in."""
    cells = [None if v is None else [float(x) for x in v] for v in vectors]
    arrow = pd.Series(pd.arrays.ArrowExtensionArray(pa.array(cells, pa.list_(pa.float64()))))
    return [
        pd.Series(cells, dtype=object),
        arrow,
        pd.Series([None if v is None else np.array(v) for v in cells], dtype=object),
    ]


@pytest.mark.parametrize(
    ("x", "y", "same"),
    [
        ([1, 2, 3], [2, 4, 6], True), ([1, 2, 3], [1, 2, 3.01], True), ([1, 2, 3], [-1, -2, -3], False),
        ([1, 0], [0, 1], False), ([0, 0], [0, 0], True), ([0, 0], [1e-300, 0], False),
        ([1e200, 1e200], [1e200, 1e200], True),
        ([1, 2], [1, 2, 0], False), ([1, np.nan], [1, np.nan], True), ([1, np.nan], [1, 2], False),
        ([np.inf, 1], [np.inf, 1], True),
        ([np.inf, 1], [-np.inf, 1], False), ([], [], True), ([1e-200, 2e-200], [2e-200, 4e-200], True),
    ],
)  # fmt: skip
def test_cosine(x, y, same):
    for e, a in zip(as_lists([x, [1, 1, 1][: len(x)], None]), as_lists([y, [1, 1, 1][: len(x)], None]), strict=True):
        found = only(e, a, Cosine(0.999))
        assert (found.mismatches, found.null_flips) == (int(not same), 0), found
        assert found.worst_keys == (() if same else ("0",))
    assert only([np.ones((2, 2))], [np.full((2, 2), 3.0)], Cosine(1.0)).ok
    assert only([[1.0], None], [[1.0], [1.0]], Cosine(0.1, share=1.0)).null_flips == 1


@pytest.mark.parametrize(
    ("x", "y", "overlap"),
    [
        (list("abc"), list("cba"), 1.0), (list("abcd"), list("abcz"), 1.0), (list("abc"), list("abz"), 2 / 3),
        (list("ab"), list("ab"), 1.0), (list("ab"), list("abc"), 2 / 3), ([], [], 1.0), ([], ["a"], 0.0),
        (["a", "a", "b"], ["a", "b", "b"], 2 / 3),
    ],
)  # fmt: skip
def test_topk(x, y, overlap):
    for allowed in (1 / 3, 2 / 3, 1.0):
        for e, a in (([x], [y]), ([np.array(x, dtype=object)], [np.array(y, dtype=object)])):
            assert only([*e, ["q"]], [*a, ["q"]], TopK(3, overlap=allowed)).ok == (overlap >= allowed)
        dicts = [
            [[{"i": item, "s": n * k} for n, item in enumerate(cell)], [{"i": "q"}]] for k, cell in ((1, x), (2, y))
        ]
        assert only(*dicts, TopK(3, overlap=allowed, by="i")).ok == (overlap >= allowed)


def test_json_by_path():
    """Each place by its own rule, as dicts, as text, and as Arrow's structs; the rest by the defaults."""
    cell = {"boxes": [{"score": 0.1, "at": [1.0, 2.0]}, {"score": 0.2, "at": [3.0, 4.0]}], "label": "Cat", "n": 3}
    kind = pa.array([cell]).type
    allowed = Json(
        {
            "$.boxes[*].score": Tolerance(atol=1e-2),
            "$.boxes[1].score": Tolerance(atol=1e-1),
            "$.boxes[*].at": Cosine(0.99),
            "$.label": Text("casefold"),
        }
    )

    def changed(**by: Any) -> dict[str, Any]:
        other = json.loads(json.dumps(cell))
        other["boxes"][0]["score"] += by.get("first", 0.0)
        other["boxes"][1]["score"] += by.get("second", 0.0)
        other["boxes"][1]["at"] = by.get("at", [3.0, 4.0])
        return {**other, "label": by.get("label", "Cat"), "n": by.get("n", 3)}

    cases = [
        ({"first": 0.009}, ""), ({"first": 0.02}, "x.boxes[0].score"), ({"second": 0.09}, ""),
        ({"second": 0.11}, "x.boxes[1].score"), ({"at": [6.0, 8.0]}, ""), ({"at": [4.0, -3.0]}, "x.boxes[1].at"),
        ({"label": "CAT"}, ""), ({"label": "dog"}, "x.label"), ({"n": 4}, "x.n"),
    ]  # fmt: skip
    forms = [
        lambda c: pd.Series([c, None], dtype=object),
        lambda c: pd.Series([json.dumps(c, sort_keys=c is not cell), None], dtype=object),
        lambda c: pd.Series(pd.arrays.ArrowExtensionArray(pa.array([c, None], kind))),
    ]
    for by, place in cases:
        for form in forms:
            found = only(form(cell), form(changed(**by)), allowed)
            assert found.mismatches == bool(place), (by, found)
            assert found.worst_path == place


def test_text_in_a_category_and_in_arrow():
    """Wherever a string is held."""
    for make in (lambda v: pd.Series(v, dtype="category"), lambda v: pd.Series(v, dtype="string[pyarrow]")):
        assert only(make(["Straße", None]), make(["STRASSE", None]), Text("NFKC casefold")).ok
        assert not only(make(["Straße", None]), make(["STRASE", None]), Text("NFKC casefold")).ok
