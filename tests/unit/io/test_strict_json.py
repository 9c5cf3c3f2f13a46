"""The one strict JSON reader."""

from __future__ import annotations

import json
import math
import time

import pytest

from seatrial.io import strict_json

NESTED = b"[" * 33 + b"]" * 33
REFUSED = {
    "not JSON": (b"{", "Expecting"),
    "empty": (b"", "Expecting value"),
    "not UTF-8": (b'"\xff"', "utf-8"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "BOM"),
    "a name twice": (b'{"a": {"b": 1, "c": 2, "b": 1}}', "the name 'b' is given twice"),
    "NaN": (b"[NaN]", "it holds NaN, which JSON does not have"),
    "minus infinity": (b"-Infinity", "it holds -Infinity"),
    "beyond doubles": (b"1e999", "beyond the range of doubles"),
    "an integer without end": (b"9" * 1_001, "thousands of digits"),
    "nested": (NESTED, "nested too deeply, beyond 32 levels"),
    "nested without end": (b"[" * 1_000_000, "nested too deeply"),
    "nested objects": (b'{"a":' * 33 + b"1" + b"}" * 33, "nested too deeply"),
    "a NUL character": (rb'{"a": ["\u0000"]}', "a NUL character"),
    "half a pair": (rb'{"\ud800": 1}', "half of a surrogate pair"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_strict_json_is_refused(case: str) -> None:
    """Each with the reason, as bytes and as text."""
    content, why = REFUSED[case]
    with pytest.raises(ValueError, match=why):
        strict_json.loads(content)
    if case != "not UTF-8":
        with pytest.raises(ValueError, match=why):
            strict_json.loads(content.decode())


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        2**63,
        1e-300,
        0.1 + 0.2,
        "é\U0001f600",
        {"a": [{"b": '[[[{{{\\"'}, [], {}]},
        "[" * 100,
        "\\" * 3,
    ],
    ids=repr,
)
def test_what_is_comes_back_as_it_was(value: object) -> None:
    """Brackets inside text are not nesting, and every digit stays."""
    assert strict_json.loads(json.dumps(value)) == value
    assert strict_json.loads(json.dumps(value, ensure_ascii=False).encode()) == value


def test_what_python_wrote_is_read_where_that_is_asked_for() -> None:
    """NaN, infinity, lone surrogates and NUL characters; names twice and endless nesting never."""
    value = strict_json.loads(json.dumps(["a\ud800\0", math.inf, math.nan]), non_finite=True, any_text=True)
    assert value[:2] == ["a\ud800\0", math.inf]
    assert math.isnan(value[2])
    for content in (b'{"a": 1, "a": 1}', NESTED):
        with pytest.raises(ValueError, match=r"twice|deeply"):
            strict_json.loads(content, non_finite=True, any_text=True)


def test_a_long_text_takes_no_long_time() -> None:
    """An attachment of 32 MiB inside nested lists is read about as fast as by the standard library."""
    content = b"[" * 40 + b'"' + b"A\\n" * (2**25 // 3) + b'"' + b"]" * 40
    begin = time.process_time()
    strict_json.loads(content, depth=64)
    assert time.process_time() - begin < 20
    begin = time.process_time()
    with pytest.raises(ValueError, match="deeply"):
        strict_json.loads(content)
    assert time.process_time() - begin < 20
