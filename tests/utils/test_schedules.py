"""A schedule's value at every iteration, against its formula."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Interval

from realdeg.errors import ConfigError
from realdeg.utils.argument_types import Count, Range, WholeRange
from realdeg.utils.schedules import Schedule, replaced, rounded, takes_numbers, takes_whole_only


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ("linear", lambda t: 2 + 6 * t),
        ("cosine", lambda t: 2 + 6 * (1 - math.cos(math.pi * t)) / 2),
        ("step", lambda t: 2 if t < 1 else 8),
    ],
)
def test_between_two_points(shape, wanted):
    schedule = Schedule([(100, 2), (300, 8)], shape)
    assert [schedule.at(iteration) for iteration in (0, 99, 100)] == [2, 2, 2]
    for iteration in (101, 150, 200, 299):
        assert schedule.at(iteration) == pytest.approx(wanted((iteration - 100) / 200), abs=1e-12)
    assert [schedule.at(iteration) for iteration in (300, 301, 10**6)] == [8, 8, 8]


def test_several_points_and_both_ends_of_a_range():
    schedule = Schedule([(0, [0.5, 1.0]), (10, [0.5, 3.0]), (20, [1.5, 4.0])])
    assert schedule.at(5) == [0.5, 2.0] and schedule.at(10) == [0.5, 3.0]
    assert schedule.at(15) == [1.0, 3.5] and schedule.at(99) == [1.5, 4.0]
    given = schedule.at(10)
    given[0] = 7
    assert schedule.at(10) == [0.5, 3.0]


def test_one_point_is_a_constant():
    assert [Schedule([(5, 3.5)]).at(iteration) for iteration in (0, 5, 9)] == [3.5] * 3


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([(0, 1), (0, 2)], "ascend, got 0, 0"),
        ([(5, 1), (3, 2)], "ascend, got 5, 3"),
        ([(0, 1), (5, [1, 2])], "all numbers, or all lists"),
        ([(0, [1, 2]), (5, [1, 2, 3])], "of the same length"),
    ],
)
def test_points_that_make_no_schedule(points, said):
    with pytest.raises(ConfigError, match=said):
        Schedule(points)


def test_whole_numbers_turn_at_every_value():
    turns = list(Schedule([(0, 2), (8, 4)]).turns(whole=True))
    assert turns == [(0, 0), (0, 1), (0, 2), (0, 6), (1, 8)]
    assert [rounded(Schedule([(0, 2), (8, 4)]).at(t)) for _, t in turns] == [2, 2, 3, 4, 4]
    assert list(Schedule([(0, 2), (8, 4)]).turns(whole=False)) == [(0, 0), (1, 8)]
    assert [rounded(value) for value in (0.5, 1.5, 2.4)] == [1, 2, 2] and rounded([1.2]) == [1]


def test_numbers_inside_a_value():
    value = {"a": [1, {"b": 2}], "c": 3}
    assert replaced(value, {"a.1.b": 5, "a.0": 4}) == {"a": [4, {"b": 5}], "c": 3}
    assert value == {"a": [1, {"b": 2}], "c": 3} and replaced(1, {"": 9}) == 9
    with pytest.raises(ConfigError, match="'x.a' has no '2': it has 0, 1"):
        replaced(value, {"a.2": 1}, "x")


def test_annotations():
    assert takes_whole_only(Count) and takes_whole_only(WholeRange) and takes_numbers(Count)
    assert not takes_whole_only(Range) and takes_numbers(Range)
    assert not takes_whole_only(Any) and not takes_numbers(Any)
    assert not takes_numbers(Literal[1, 2]) and not takes_numbers(Sequence[str])
    assert takes_numbers(Annotated[float | Sequence[float], Interval(ge=0)])
