import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from realdeg.utils.annotations import mismatch, shown
from realdeg.utils.arguments import arguments_of


@pytest.mark.parametrize(
    ("value", "wanted", "phrase"),
    [
        (3, int, None),
        (3.0, int, "a whole number"),
        (True, int, "a whole number"),
        (3, float, None),
        (True, float, "a number"),
        ("3", float, "a number"),
        (1, bool, "True or False"),
        (None, int, "a whole number"),
        (None, int | None, None),
        ("a", Literal["a", "b"], None),
        ("c", Literal["a", "b", "d"], "'a', 'b' or 'd'"),
        ([1, 2], tuple[int, int], None),
        (5, Sequence[int], "a list"),
        ({"type": "L1Loss"}, Mapping[str, Any], None),
        ("L1Loss", Mapping[str, Any], "a dict"),
        ("x", float | torch.Tensor, "a number"),
        # What a signature names beyond plain types, its owner judges.
        ("x", torch.nn.Module, None),
        (5, str | Path, "a string or a path"),
        (True, Path | None, "a path or None"),
        ("x", Path, None),
        # Built-in values that stand in no file of data.
        (b"bytes", str, "a string"),
        ("text", Sequence[str], "a list"),
        ([b"x"], list[Any], None),
        (["text", [1]], Sequence[Sequence[int]], "a list of lists"),
        (b"bytes", Mapping[str, Any], "a dict"),
        (b"bytes", Any, None),
        (1j, float, "a number"),
        ({1, 2}, list[int], "a list"),
        (len, int | None, "a whole number or None"),
        (len, Callable[..., Any] | None, None),
        (int, type[int], None),
        (torch.zeros(1), int, None),
        ("x", Any, None),
        # What is inside lists and dicts.
        ([1, 2], list[int], None),
        ([1, "b"], list[int], "a list of whole numbers"),
        ([1, None], Sequence[float], "a list of numbers"),
        ([0.5, True], tuple[float, float], "a list of 2 numbers"),
        ([0.5], tuple[float, float], "a list of 2 numbers"),
        ([0.5, 1, 2], tuple[float, ...], None),
        (["a", 1], tuple[int, str], "a list of 2 items: a whole number, a string"),
        ([[1], [2, "c"]], Sequence[Sequence[int]], "a list of lists"),
        ({"a": 1}, dict[str, int], None),
        ({"a": "b"}, dict[str, int], "a dict of whole numbers"),
        ([1.5, "a"], float | Sequence[float], "a number or a list of numbers"),
        ([object], list[int], "a list of whole numbers"),
        # Numbers that no computation can take.
        (math.inf, float, "a finite number"),
        (-math.inf, int | None, "a finite whole number or None"),
        ([1.0, math.inf], list[float], "a list of numbers"),
        (math.inf, Any, None),
        ({"max_norm": math.inf}, dict, None),
        (10**400, Any, "a number within 64 bits"),
        (True, Literal[1], "1"),
    ],
)
def test_values_and_annotations(value, wanted, phrase):
    found = mismatch(value, wanted)
    if phrase is None:
        assert found is None
    else:
        assert found == f"is {shown(value, 24)}, wanted {phrase}"


@pytest.mark.parametrize("wanted", [float, int, Any, list, dict[str, Any]])
@pytest.mark.parametrize("value", [math.nan, [1, math.nan], {"a": [{"b": math.nan}]}, [10**4301]])
def test_numbers_that_fit_nowhere(value, wanted):
    assert "wanted a number" in mismatch(value, wanted)


def test_values_inside_each_other_end_somewhere():
    endless = []
    endless.append(endless)
    assert "nested" in mismatch(endless, list)
    assert len(mismatch("x" * 10_000, int)) < 300


class Unlimited:
    def __init__(self, most: float = math.inf, least: float = 0.0):
        self.most, self.least = most, least


def test_a_default_may_be_infinite():
    assert arguments_of(Unlimited).mismatch("most", math.inf) is None
    assert arguments_of(Unlimited).mismatch("least", math.inf) == "is inf, wanted a finite number"
    assert arguments_of(Unlimited).mismatch("most", math.nan) == "is nan, wanted a number"


class Parent:
    def __init__(self, depth: int = 2, strange: "Nowhere" = None):  # noqa: F821
        self.depth = depth


class Child(Parent):
    def __init__(self, width: "int" = 3, **kwargs):
        super().__init__(**kwargs)


def test_arguments_are_found_through_kwargs_and_in_texts():
    assert arguments_of(Child).mismatch("width", "wide") == "is 'wide', wanted a whole number"
    assert arguments_of(Child).mismatch("depth", "deep") == "is 'deep', wanted a whole number"
    assert arguments_of(Child).mismatch("strange", 5) is None
    assert arguments_of(Child).mismatch("nothing", 5) is None
    assert arguments_of(len).mismatch("obj", 5) is None
    assert arguments_of(torch.optim.Adam).mismatch("lr", "fast") is not None
