"""Traces: JSON and back, and what hostile ones meet."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realdeg.degradations import Trace
from realdeg.errors import DataError

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4).filter(lambda key: key != "array"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), PLAIN, max_size=4))
def test_json_round_trip(params):
    trace = Trace("A", params, (3, 8, 9), (Trace("B"),))
    assert Trace.from_json(trace.to_json()) == trace


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_small_arrays_survive_to_the_bit(dtype):
    kernel = np.random.default_rng(0).integers(0, 9, (5, 7)).astype(dtype)
    again = Trace.from_json(Trace("A", {"kernel": kernel}).to_json()).params["kernel"]
    assert again.dtype == kernel.dtype
    np.testing.assert_array_equal(again, kernel)


def _record(**changes) -> str:
    record = Trace("A", {"k": np.ones((2, 2))}, (1, 2, 2)).to_dict()
    record.update(changes)
    return json.dumps(record)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no readable JSON"),
        ("[]", "JSON object"),
        (_record(version=99), "version 99"),
        (_record(more=1), "unknown fields: more"),
        (_record(size=[1, 2]), "size is"),
        (_record(size=[1, 2, -3]), "size is"),
        (_record(type=3), "type is a string"),
        (_record(params={"k": {"array": "object", "shape": [1], "base64": ""}}), "damaged"),
        (_record(params={"k": {"array": "uint8", "shape": [9], "base64": "AA=="}}), "another size"),
        (_record(params={"k": {"array": "uint8", "shape": [1], "base64": "?"}}), "damaged"),
        (_record(params={"k": {"array": "float64", "shape": [2**40], "base64": ""}}), "damaged"),
        (_record(parts=[3]), "JSON object"),
    ],
)
def test_hostile_traces_are_refused(text, words):
    with pytest.raises(DataError, match=words):
        Trace.from_json(text)


def test_deep_nesting_is_refused():
    record = Trace("A").to_dict()
    for _ in range(60):
        record = {**Trace("A").to_dict(), "parts": [record]}
    with pytest.raises(DataError, match="nested"):
        Trace.from_dict(record)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), np.ones(2**18), {"array": 1}]
)
def test_only_small_plain_data_is_recorded(value):
    with pytest.raises(DataError):
        Trace("A", {"x": value}).to_json()
