"""What a live dependency answers now is compared with the record by value."""

from __future__ import annotations

from seatrial.checks.expectations.dependencies import _compare
from seatrial.reference.keys import keys_of
from seatrial.reference.lookup import lay_out


def test_the_order_of_names_in_an_answer_is_not_compared():
    """A live dependency may give the names of an object in another order; another value differs, at any depth."""
    keys = keys_of(["u1", "u2"])
    was = [{"a": 1, "b": {"c": [2, {"x": 1, "y": 2}], "d": 3}}, None]
    now = [{"b": {"d": 3, "c": [2, {"y": 2, "x": 1}]}, "a": 1}, None]
    other = [{"b": {"d": 3, "c": [2, {"y": 2, "x": 7}]}, "a": 1}, None]
    for shape in (list, lambda values: dict(zip(["u1", "u2"], values, strict=True))):
        recorded = lay_out("call", keys, shape(was))
        assert _compare(recorded, lay_out("call", keys, shape(now)).rows).ok
        assert not _compare(recorded, lay_out("call", keys, shape(other)).rows).ok
