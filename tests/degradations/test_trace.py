"""Traces: JSON and back, and what hostile ones meet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from annotated_types import Interval
from hypothesis import given
from hypothesis import strategies as st

from realdeg.degradations import Trace, TraceParams
from realdeg.degradations.steps import STEPS
from realdeg.errors import DataError
from realdeg.utils.arguments import arguments_of

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
        ("{", "not readable JSON"),
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


@dataclass(frozen=True)
class Drawn(TraceParams):
    level: Annotated[float, Interval(ge=0, le=1)]
    order: Sequence[int]
    kind: Literal["a", "b"] = "a"


def test_what_was_drawn_is_read_back():
    drawn = Drawn(0.5, [2, 1])
    trace = Trace("A", {"scale": 4, **drawn.to_params()})
    assert Trace.from_json(trace.to_json()).read(Drawn) == drawn
    with pytest.warns(DeprecationWarning, match="use Trace.read"):
        assert trace.get("level", (int, float)) == 0.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"level": 2}, "the trace of A: 'level' is 2, wanted a number from 0 to 1"),
        ({"level": True}, "'level' is True"),
        ({"level": np.ones(1)}, "'level' is not a plain value"),
        ({"level": float("nan")}, "'level' is nan"),
        ({"order": [1, "2"]}, "'order' is"),
        ({"order": [np.ones(1)]}, "'order' is not a plain value"),
        ({"kind": "c"}, "'kind' is 'c', wanted 'a' or 'b'"),
    ],
)
def test_what_was_never_drawn_is_refused(changes, words):
    trace = Trace("A", {**Drawn(0.5, [2, 1]).to_params(), **changes})
    with pytest.raises(DataError, match=words):
        trace.read(Drawn)
    with pytest.raises(DataError, match="the trace of A lacks 'level'"):
        Trace("A", {"order": [1]}).read(Drawn)


def test_every_annotation_of_a_record_is_known_at_run_time():
    """A name that only type checkers know would let everything pass."""
    kinds = [*TraceParams.__subclasses__(), *STEPS.values()]
    assert len(kinds) > 20
    for kind in kinds:
        for name, parameter in arguments_of(kind).parameters.items():
            assert parameter.annotation is not Any, f"{kind.__qualname__}.{name}"


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
