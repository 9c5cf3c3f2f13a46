"""A frame as tensors of the Open Inference Protocol: said right, or refused; never rounded, and no text of Python's."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import UsageError
from seatrial.targets.oip.tensors import tensors_of


def one(cells, dtype=object):
    [tensor] = tensors_of(pd.DataFrame({"x": pd.Series(cells, dtype=dtype)}), "columns")
    return tensor.datatype, tuple(tensor.shape), list(tensor.data)


def test_integers_beyond_a_float_are_sent_as_they_are_beside_one():
    frame = pd.DataFrame({"n": [2**53 + 1, 7], "x": [0.5, 1.5]})
    sent = {t.name: (t.datatype, list(t.data)) for t in tensors_of(frame)}
    assert sent == {"n": ("INT64", [2**53 + 1, 7]), "x": ("FP64", [0.5, 1.5])}
    with pytest.raises(UsageError, match="'n' has integers that FP64 would round"):
        tensors_of(frame, "matrix")
    [matrix] = tensors_of(pd.DataFrame({"n": [2**53, 7], "x": [0.5, 1.5]}))
    assert (matrix.datatype, list(matrix.data)) == ("FP64", [2.0**53, 0.5, 7.0, 1.5])


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.booleans())
def test_no_integer_is_rounded(values, beside_unsigned):
    other = np.array([0] * len(values), dtype="uint64") if beside_unsigned else np.zeros(len(values))
    tensors = tensors_of(pd.DataFrame({"n": np.array(values, dtype="int64"), "x": other}))
    found = list(tensors[0].data) if len(tensors) == 2 else list(tensors[0].data)[::2]
    assert [int(each) for each in found] == values


@pytest.mark.parametrize(
    ("cells", "sent"),
    [
        (["a", "é"], ("BYTES", (2, 1), ["a", "é"])),
        ([True, False], ("BOOL", (2, 1), [True, False])),
        ([3, 4], ("INT64", (2, 1), [3, 4])),
        ([3, 0.5], ("FP64", (2, 1), [3.0, 0.5])),
        ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], ("FP64", (2, 3), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ([np.eye(2), np.zeros((2, 2))], ("FP64", (2, 2, 2), [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0])),
        ([[1, 2], [3, 4]], ("INT64", (2, 2), [1, 2, 3, 4])),
    ],
)
def test_cells_are_sent_as_what_they_are(cells, sent):
    assert one(cells) == sent


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([b"\xff", b"a"], "'x' has bytes"),
        (["a", None], "'x' has nulls"),
        ([[1.0], [1.0, 2.0]], "lists of different lengths"),
        ([{"a": 1}, {"a": 2}], "a tensor cannot hold"),
        ([["a"], ["b"]], "cells of str that a tensor cannot hold"),
        ([True, 2], "cells of bool, int"),
        ([2**70, 1], "a tensor cannot hold"),
        ([2**53 + 1, 0.5], "a tensor cannot hold"),
    ],
)
def test_what_the_protocol_cannot_say_is_refused(cells, words):
    with pytest.raises(UsageError, match=words):
        one(cells)
