"""Fields from annotations, and back to arguments that the constructor takes."""

from typing import Annotated, Any, Literal

import pytest
from annotated_types import Interval

from realdeg.errors import ConfigError
from realdeg.registry import DEGRADATIONS
from realdeg.studio.forms import USUAL, argument_help, as_text, chosen, fields_of
from realdeg.utils.argument_types import Choice, Count, FixedOrRange, Fraction, WholeRange


class Example:
    """An example.

    Args:
        mode: How it works,
            over two lines.
        share: A ``share``.
    """

    def __init__(
        self,
        mode: Literal["fast", "exact"] = "fast",
        share: Fraction = 0.5,
        count: Count = 3,
        most: Count | None = None,
        levels: Annotated[WholeRange, Interval(ge=0, le=255)] = (2, 25),
        sigma: FixedOrRange = 5.0,
        clip: bool = True,
        gain: bool | None = None,
        name: Annotated[str, Choice("a", "b")] | None = None,
        more: Any = None,
        both: int | str = 1,
    ) -> None:
        pass


FIELDS = {field.name: field for field in fields_of(Example)}


@pytest.mark.parametrize(
    ("name", "kind", "low", "high", "whole"),
    [
        ("mode", "choice", None, None, False),
        ("share", "number", 0, 1, False),
        ("count", "number", 1, None, True),
        ("most", "data", None, None, False),
        ("levels", "range", 0, 255, True),
        ("sigma", "range", None, None, False),
        ("clip", "switch", None, None, False),
        ("gain", "choice", None, None, False),
        ("name", "choice", None, None, False),
        ("more", "data", None, None, False),
        ("both", "data", None, None, False),
    ],
)
def test_an_annotation_states_its_field(name, kind, low, high, whole):
    field = FIELDS[name]
    assert (field.kind, field.low, field.high, field.whole) == (kind, low, high, whole)


def test_help_is_that_of_the_docstring():
    assert argument_help(Example) == {
        "mode": "How it works, over two lines.",
        "share": "A share.",
    }


def test_choices_and_none():
    assert FIELDS["name"].menu == [(USUAL, USUAL), ("a", "a"), ("b", "b")]
    assert FIELDS["name"].shown(None) == USUAL and FIELDS["name"].read(USUAL) is None
    assert FIELDS["gain"].read(False) is False
    assert FIELDS["mode"].menu == [("fast", "fast"), ("exact", "exact")]


def test_a_range_may_be_one_number_where_the_annotation_says_so():
    assert FIELDS["sigma"].shown(5.0) == [5.0, 5.0]
    assert FIELDS["sigma"].read([5, 5]) == 5.0
    assert FIELDS["sigma"].read([2, 5]) == [2.0, 5.0]
    assert FIELDS["levels"].read([3.0, 3.0]) == [3, 3]
    assert FIELDS["levels"].read([None, 3.0]) == (2, 25)


def test_numbers_and_text():
    whole = FIELDS["count"].read(3.0)
    assert whole == 3 and isinstance(whole, int) and isinstance(FIELDS["share"].read(1), float)
    assert FIELDS["count"].read(None) == 3 and FIELDS["most"].read("") is None
    assert FIELDS["more"].read("{a: [1, 2]}") == {"a": [1, 2]} and FIELDS["more"].read(" ") is None
    with pytest.raises(ConfigError, match="'more' is not YAML"):
        FIELDS["more"].read("[1, 2")
    with pytest.raises(ConfigError, match="no argument has"):
        FIELDS["more"].read("x" * 30_000)


def test_only_what_differs_is_chosen():
    values = {"mode": "fast", "share": 0.25, "levels": [2, 25], "sigma": [2.0, 5.0]}
    assert chosen(FIELDS.values(), values) == {"share": 0.25, "sigma": [2.0, 5.0]}


@pytest.mark.parametrize("value", [5, [1, 2.5], {"a": {"b": [1]}}, "word", "7", True, None])
def test_text_is_read_back(value):
    assert FIELDS["more"].read(as_text(value)) == value


@pytest.mark.parametrize("name", DEGRADATIONS.names())
def test_every_degradation_has_a_form_whose_defaults_are_its_own(name):
    component = DEGRADATIONS.require(name)
    fields = fields_of(component)
    assert all(field.help for field in fields), "an argument without a line in the docstring"
    values = {f.name: f.read(f.shown(f.default)) for f in fields if not f.required}
    assert chosen(fields, values) == {}
    assert not {"scale", "same_size"} & {field.name for field in fields}
