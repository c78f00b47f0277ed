"""The caller's state: there and back exactly, and nothing hostile gets through."""
from __future__ import annotations

import math
import struct
import sys
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from ms_lr_callbacks.checkpoint import jsontext
from ms_lr_callbacks.checkpoint.state import decode_state, encode_state
from sample import assert_same_state

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-2 ** 200, 2 ** 200), st.floats(), TEXT,
                   st.sampled_from([np.float32(0.1), np.int8(-3), np.uint64(2 ** 64 - 1), np.float16(1 / 3),
                                    np.bool_(True), np.float64(-0.0), np.float32("inf"),
                                    np.arange(3, dtype=np.int32), np.zeros((0, 2), np.float64),
                                    np.array(2.5, np.float32), np.arange(100.0), np.array([np.nan, -np.inf]),
                                    np.asfortranarray(np.arange(6.0).reshape(2, 3))]))
KEYS = st.one_of(TEXT, st.sampled_from(["__float__", "__items__", "__tensor__"]))
TREES = st.recursive(LEAVES, lambda inner: st.one_of(
    st.lists(inner, max_size=4), st.lists(inner, max_size=3).map(tuple),
    st.dictionaries(KEYS, inner, max_size=4), st.dictionaries(st.integers(-5, 5), inner, max_size=3)), max_leaves=20)


def round_trip(state: dict[str, Any]) -> dict[str, Any]:
    text, arrays = encode_state(state)
    return decode_state(text, arrays)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, TREES, max_size=4))
def test_every_state_comes_back_exactly(state: dict[str, Any]) -> None:
    assert_same_state(round_trip(state), state)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 2 ** 64 - 1))
def test_floats_keep_every_bit_but_a_nan_payload(bits: int) -> None:
    value = struct.unpack("<d", bits.to_bytes(8, "little"))[0]
    back = round_trip({"x": value})["x"]
    assert math.isnan(back) if math.isnan(value) else struct.pack("<d", back) == struct.pack("<d", value)


def test_subclasses_of_dict_come_back_as_dict() -> None:
    assert round_trip({"a": OrderedDict(b=1)}) == {"a": {"b": 1}}


def test_changing_the_state_afterwards_changes_nothing_saved() -> None:
    state = {"history": np.zeros(1000), "wait": [1]}
    text, arrays = encode_state(state)
    state["history"][:] = 1
    state["wait"].append(2)
    back = decode_state(text, arrays)
    assert back["wait"] == [1] and not back["history"].any()


def test_arrays_under_keys_that_are_written_alike_stay_apart() -> None:
    state = {"a": {np.float32(0.5): np.arange(100), 0.25: np.zeros(100)}, "b": {(0.5, 1): np.ones(100)}}
    assert_same_state(round_trip(state), state)


@pytest.mark.parametrize("value, message", [
    (object(), r"state\['callbacks'\]\['mine'\]\[1\]: a object cannot be stored"),
    (Decimal("1.5"), "a Decimal cannot"),
    (b"raw", "a bytes cannot"),
    ({1, 2}, "a set cannot"),
    (1j, "a complex cannot"),
    (np.complex64(1), "NumPy dtype complex64 cannot"),
    (np.array(["a"]), "NumPy dtype str"),
    (np.array([None]), "NumPy dtype object cannot"),
    (2 ** 4000, "an integer of 4001 bits"),
    ("\ud800", "not valid Unicode"),
    (dict.fromkeys(range(10_001)), "a dict of 10001 entries"),
])
def test_what_cannot_be_stored_is_refused_with_its_key_path(value: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        encode_state({"callbacks": {"mine": [0, value]}})
    assert "state['callbacks']['mine'][1]" in str(caught.value)


def test_a_state_that_is_no_dict_is_refused() -> None:
    with pytest.raises(TypeError, match="pass a dict"):
        encode_state([1])  # type: ignore[arg-type]


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: {"a": x}, lambda x: {1: x}])
def test_whatever_depth_is_written_can_be_read(wrap: Any) -> None:
    deepest = 0
    value: Any = np.arange(3)
    for depth in range(1, 200):
        value = wrap(value)
        try:
            text, arrays = encode_state({"x": value})
        except ValueError as error:
            assert "nested more than" in str(error)
            break
        decode_state(text, arrays)
        deepest = depth
    assert 25 < deepest < 100


def test_a_state_that_contains_itself_is_refused() -> None:
    state: dict[str, Any] = {}
    state["self"] = state
    with pytest.raises(ValueError, match="nested more than"):
        encode_state(state)


@pytest.mark.parametrize("text", [
    b"", b"nul", b"[1, 2", b'{"a": 1,}', b"\xff\xfe", b"\xef\xbb\xbf{}", b'"\xed\xa0\x80"', b"{} {}",
    b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b'{"a": 1e999}', b'{"a": -1e999}',
    b'{"a": 1, "a": 2}', b'{"a": ' + b"9" * 5000 + b"}", b"9" * 10 ** 6, b"0." + b"1" * 10 ** 6,
    b"[" * 200, b"[" * 10 ** 6, b'{"a":' * 10 ** 5, b"[" * 101 + b"]" * 101,
    b'"\\"' + b"[" * 200, b'["\\\\", ' + b"[" * 200, b"[" * 99 + b'"' + b"[" * 1000,
], ids=lambda text: repr(text[:20]))
def test_hostile_json_is_refused(text: bytes) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10 ** 6)  # some frameworks do; the parser's own guard is then gone
    try:
        with pytest.raises(ValueError):
            jsontext.load(text)
    finally:
        sys.setrecursionlimit(limit)


def test_brackets_inside_texts_are_not_depth() -> None:
    value = {"a": "[" * 500, "b\\": '"' + "{" * 500 + "\\"}
    assert jsontext.load(jsontext.dump(value)) == value


def test_too_much_json_is_refused() -> None:
    with pytest.raises(ValueError, match="more than the 10"):
        jsontext.load(b" " * 11, max_bytes=10)


@pytest.mark.parametrize("body", [
    '[]', '1', 'null', '{"x": {"__float__": "infinity"}}', '{"x": {"__float__": 1}}',
    '{"x": {"__tuple__": {}}}', '{"x": {"__items__": {}}}', '{"x": {"__items__": [[1]]}}',
    '{"x": {"__items__": [[[1], 2]]}}', '{"x": {"__items__": [[1, 2], [1, 3]]}}',
    '{"x": {"__float__": "inf", "y": 1}}', '{"x": {"__tensor__": "missing"}}', '{"x": {"__tensor__": 1}}',
    '{"x": {"__tensor__": "there"}, "y": {"__tensor__": "there"}}', '{}',
    '{"x": {"__scalar__": {"dtype": "object", "value": 1}}}',
    '{"x": {"__scalar__": {"dtype": "int8", "value": 128}}}',
    '{"x": {"__scalar__": {"dtype": "int8", "value": 1.5}}}',
    '{"x": {"__scalar__": {"dtype": "float32", "value": 1e300}}}',
    '{"x": {"__scalar__": {"dtype": "float32", "value": "huge"}}}',
    '{"x": {"__scalar__": {"dtype": "bool", "value": 1}}}',
    '{"x": {"__scalar__": {"value": 1}}}', '{"x": {"__scalar__": 3}}',
    '{"x": {"__ndarray__": {"dtype": "int8", "shape": [2], "values": [1]}}}',
    '{"x": {"__ndarray__": {"dtype": "int8", "shape": [-1], "values": [1]}}}',
    '{"x": {"__ndarray__": {"dtype": "int8", "shape": 1, "values": [1]}}}',
    '{"x": {"__ndarray__": {"dtype": ["int8"], "shape": [1], "values": [1]}}}',
    '{"x": {"__ndarray__": {"dtype": "int8", "shape": [99999999999, 0], "values": []}}}',
    '{"x": {"__ndarray__": {"dtype": "int8", "shape": [1], "values": [[1]]}}}',
    '{"x": {"__ndarray__": {"dtype": "bfloat16", "shape": [1], "values": [1]}}}',
])
def test_a_state_of_wrong_types_is_refused(body: str) -> None:
    _, arrays = encode_state({"there": np.arange(100)})
    arrays = {"there": next(iter(arrays.values()))}
    with pytest.raises(ValueError):
        decode_state(body.encode(), arrays)


def test_the_text_is_readable() -> None:
    text, _ = encode_state({"lr": np.float32(0.1), "name": "\u7ec4", "best": -math.inf})
    assert text.decode() == ('{\n "lr": {\n  "__scalar__": {\n   "dtype": "float32",\n   "value": '
                             '0.10000000149011612\n  }\n },\n "name": "\u7ec4",\n "best": {\n  '
                             '"__float__": "-inf"\n }\n}\n')
