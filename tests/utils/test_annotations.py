from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from realdeg.utils.annotations import argument_fault, fault


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
        ([1], tuple[int, int], None),
        (5, Sequence[int], "a list"),
        ({"type": "L1Loss"}, Mapping[str, Any], None),
        ("L1Loss", Mapping[str, Any], "a dict"),
        ("x", float | torch.Tensor, "a number"),
        # What a signature names beyond plain types, its owner judges.
        ("x", torch.nn.Module, None),
        (5, str | Path, None),
        (torch.zeros(1), int, None),
        ("x", Any, None),
    ],
)
def test_values_and_annotations(value, wanted, phrase):
    expected = None if phrase is None else f"is {value!r}, wanted {phrase}"
    assert fault(value, wanted) == expected


class Parent:
    def __init__(self, depth: int = 2, strange: "Nowhere" = None):  # noqa: F821
        self.depth = depth


class Child(Parent):
    def __init__(self, width: "int" = 3, **kwargs):
        super().__init__(**kwargs)


def test_arguments_are_found_through_kwargs_and_in_texts():
    assert argument_fault(Child, "width", "wide") == "is 'wide', wanted a whole number"
    assert argument_fault(Child, "depth", "deep") == "is 'deep', wanted a whole number"
    assert argument_fault(Child, "strange", 5) is None
    assert argument_fault(Child, "nothing", 5) is None
    assert argument_fault(len, "obj", 5) is None
    assert argument_fault(torch.optim.Adam, "lr", "fast") is not None
