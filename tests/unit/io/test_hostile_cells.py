"""Cells that another process wrote are read strictly: no bytes of a cell run, or stand for more than they are."""

from __future__ import annotations

import contextlib
import json

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.errors import ReferenceInvalid
from seatrial.io import arrow
from seatrial.io.cells.codec import decode, encode

FAILURES = (ValueError, TypeError, KeyError, ArithmeticError, IndexError, AttributeError)


@pytest.mark.parametrize(
    "content",
    [
        b'{"$ndarray": ["O", [1000000000], []]}',
        b'{"$ndarray": ["|O", [1], "C", 0, 8]}\n12345678',
        b'{"$ndarray": ["<f8", [-1], "C", 0, 8]}\n12345678',
        b'{"$ndarray": ["<f8", [2], "C", 0, 8]}\n12345678',
        b'{"$ndarray": ["<f8", [1], "C", 1, 8]}\n12345678',
        b'{"$ndarray": ["V8", [1], "C", 0, 8]}\n12345678',
        b'{"$ndarray": ["i4,i4", [1], "C", 0, 8]}\n12345678',
        b'{"$ndarray": ["<U0", [99999999999], "C", 0, 0]}',
        b'{"$numpy": ["O", "0000000000000000"]}',
        b'{"$bytes": [-4, 2]}\n1234',
        b'{"$bytes": [0, -1]}\n1234',
        b'{"$bytes": [true, 900]}\n1234',
        b'{"$eval": "1"}',
        b'{"$defaultdict": ["eval", []]}',
        b'{"$Decimal": "x"}',
        b'{"$UUID": "x"}',
        b'{"a": 1, "a": 2}',
        b'{"$tuple": ' * 500 + b"[]" + b"}" * 500,
        b"[" * 10**5,
        b"\xff",
        b"",
        b"1" * 5000,
    ],
)
def test_bytes_that_are_no_cell_are_refused(content):
    with pytest.raises(FAILURES):
        decode(content)
    table = pa.table({"x": pa.array([content], pa.large_binary())})
    table = table.replace_schema_metadata({b"seatrial.columns": json.dumps({"x": {"kind": "cells"}}).encode()})
    with pytest.raises(ReferenceInvalid, match="column types that cannot be read"):
        arrow.from_table(table, "a file")


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "eval"}, {"kind": "arrays", "dtype": "O"}, {"kind": "objects", "null": "x"}, {"kind": "codes"}, {},
        {"kind": "objects", "item": "O", "depth": 0}, {"kind": "sparse", "of": "O", "fill": ""}, [], "x", None,
        {"kind": "objects", "item": "<f8", "depth": 10**9}, {"kind": "period", "freq": "x"}, {"kind": "complex"},
        {"kind": "decimals"},
    ],
)  # fmt: skip
def test_a_description_that_fits_no_column_is_refused(spec):
    table = pa.table({"x": ["a"]})
    table = table.replace_schema_metadata({b"seatrial.columns": json.dumps({"x": spec}).encode()})
    with pytest.raises(ReferenceInvalid, match="column types that cannot be read"):
        arrow.from_table(table, "a file")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.uuids()
    | st.datetimes() | st.complex_numbers() | st.fractions() | st.timedeltas() | st.times() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    | st.tuples(inner, inner),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(values)
def test_any_value_is_encoded_and_decoded(value):
    """As the same value of the same type, to any depth."""
    assert repr(decode(encode(value))) == repr(value)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values, st.data())
def test_damaged_cells_are_refused_or_read(value, data):
    content = bytearray(encode(value))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(*FAILURES):
        decode(bytes(content))
