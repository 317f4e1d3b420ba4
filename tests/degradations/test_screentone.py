"""Halftone against a slow loop with shares of areas in closed form, and what print must keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from realdeg import create_degradation
from realdeg.degradations import Trace
from realdeg.degradations.screentone import ScreentoneParams, printed, screen, separated
from realdeg.errors import ConfigError, DataError
from realdeg.utils.colour import one_channel_is_grey, rgb_to_grey, rgb_to_y
from tests.degradations.statistics import assert_equally_likely, assert_independent, assert_uniform

SHAPES = ("circle", "diamond", "ellipse", "cross", "line")
SEPARATIONS = ("grey", "rgb", "cmyk")
ANGLES = (15.0, 75.0, 0.0, 45.0)  # those of offset print
SHIFT = (0.31, 0.77)


def settings(**more) -> ScreentoneParams:
    usual = dict(separation="cmyk", shape="circle", dot_size=7.0, angles=ANGLES, shift=SHIFT, ink=1)
    return ScreentoneParams(**(usual | more))


def picture(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, 40, 33, generator=generator, dtype=torch.float64)


def plain(value: float, side: int = 240) -> torch.Tensor:
    return torch.full((3, side, side), value, dtype=torch.float64)


def nearer(shape: str, u: float, v: float) -> float:
    """Return the share of the square from -1 to 1 that is nearer to the centre than (u, v)."""
    u, v = abs(u), abs(v)
    if shape == "line":
        return u
    if shape == "cross":
        return 1 - (1 - abs(u - v)) ** 2
    if shape == "diamond":
        d = u + v
        return d**2 / 2 if d <= 1 else 1 - (2 - d) ** 2 / 2
    r = math.hypot(u, v)
    cut = 4 * (r**2 * math.acos(1 / r) - math.sqrt(r**2 - 1)) if r > 1 else 0.0
    return (math.pi * r**2 - cut) / 4


def by_loop(shape: str, dot_size: float, angle: float, height: int, width: int) -> np.ndarray:
    """Compute the thresholds of a screen, pixel by pixel."""
    result = np.empty((height, width))
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    for row, column in np.ndindex(height, width):
        x, y = column + 0.5, row + 0.5
        u = (cosine * x + sine * y) / dot_size - 2 * SHIFT[0]
        v = (cosine * y - sine * x) / dot_size - 2 * SHIFT[1]
        share = nearer(shape, 2 * (u - math.floor(u)) - 1, 2 * (v - math.floor(v)) - 1)
        squares = math.floor(u) + (0 if shape == "line" else math.floor(v))
        result[row, column] = share / 2 if squares % 2 == 0 else 1 - share / 2
    return result


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "ellipse"])
@pytest.mark.parametrize(("dot_size", "angle"), [(4, 0), (7.3, 15), (5, -75), (11.5, 200)])
def test_thresholds_against_a_loop(shape, dot_size, angle):
    found = screen(37, 29, shape, dot_size, angle, SHIFT).numpy()
    wanted = by_loop(shape, dot_size, angle, 37, 29)
    # Far less than a level of 8 bit.
    np.testing.assert_allclose(found, wanted, atol=5e-4)


def test_an_ellipse_is_longest_along_the_diagonal():
    """The distance is that of an ellipse whose axes are as the square root of 3 to 1."""
    found = screen(64, 64, "ellipse", 64, 0)
    first = found < 0.1
    rows, columns = (first.nonzero().double() - 31.5).T
    along, across = (rows + columns).square().mean(), (rows - columns).square().mean()
    assert float((along / across).sqrt()) == pytest.approx(math.sqrt(3), rel=0.02)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dot_size", "angle"), [(8, 0), (3.7, 22), (2, 33)])
def test_thresholds_are_uniform(shape, dot_size, angle):
    """So a plain area keeps its mean, whatever it is printed with."""
    found = screen(400, 400, shape, dot_size, angle, SHIFT).flatten()
    assert 0 < found.min() and found.max() < 1
    if angle == 0:
        # Too few positions in a period for more: 16 x 16, and 16 for a line.
        assert float(found.mean()) == pytest.approx(0.5, abs=0.02)
        return
    wanted = (torch.arange(len(found)) + 0.5) / len(found)
    assert (found.sort().values - wanted).abs().max() < 0.01


@pytest.mark.parametrize("separation", SEPARATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_plain_area_keeps_its_mean(shape, separation):
    drawn = settings(separation=separation, shape=shape, angles=(15.0, 75.0, 3.0, 45.0))
    for value in (0.0, 0.1, 0.35, 0.5, 0.8, 1.0):
        found = printed(plain(value), drawn)
        assert set(found.unique().tolist()) <= {0.0, 1.0}
        means = found.mean((1, 2))
        torch.testing.assert_close(means, torch.full_like(means, value), atol=0.02, rtol=0)


def test_half_is_a_chessboard_and_dots_grow_from_centres():
    found = printed(
        plain(0.5, 32), settings(separation="grey", dot_size=4, angles=(0,) * 4, shift=(0, 0))
    )
    squares = torch.arange(32) // 4
    board = ((squares[:, None] + squares) % 2).double()
    assert torch.equal(found, board.expand(3, -1, -1))
    light = printed(
        plain(0.9, 40), settings(separation="grey", dot_size=5, angles=(0,) * 4, shift=(0, 0))
    )
    rows, columns = (light[0] == 0).nonzero().T
    assert set(((rows // 5 + columns // 5) % 2).tolist()) == {0}
    assert set((rows % 5).tolist()) == set((columns % 5).tolist()) == {1, 2, 3}


def test_angles_turn_the_screen_clockwise():
    upright = screen(30, 30, "line", 3, 0)
    assert torch.equal(upright, upright[:1].expand(30, -1))
    lying = screen(30, 30, "line", 3, 90)
    torch.testing.assert_close(lying, upright.T, atol=1e-3, rtol=0)
    # Turned clockwise, stripes that went down go down to the left: 4 down, 3 to the left.
    slanted = screen(40, 40, "line", 4, math.degrees(math.atan2(3, 4)))
    torch.testing.assert_close(slanted[4:, :-3], slanted[:-4, 3:], atol=1e-3, rtol=0)


@pytest.mark.parametrize("separation", SEPARATIONS)
def test_inks_give_back_the_picture(separation):
    rgb = picture()
    inks = separated(rgb, separation)
    assert inks.min() >= 0 and inks.max() <= 1
    light = 1 - inks
    again = light[:3] * light[3:] if separation == "cmyk" else light
    wanted = rgb_to_grey(rgb) if separation == "grey" else rgb
    torch.testing.assert_close(again, wanted, atol=1e-12, rtol=0)
    if separation == "cmyk":
        assert (inks[:3].amin(0) < 1e-12).all(), "black takes what the three have in common"
    assert separated(torch.zeros(3, 1, 1), "cmyk").flatten().tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("separation", SEPARATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_print_against_a_loop(shape, separation):
    rgb = picture(1)
    drawn = settings(separation=separation, shape=shape, dot_size=4.4, ink=0.75)
    found = printed(rgb, drawn)
    angles = ANGLES[-1:] if separation == "grey" else ANGLES
    inks = separated(rgb, separation)
    light = torch.ones(3, 40, 33, dtype=torch.float64)
    for index, (amount, angle) in enumerate(zip(inks, angles, strict=False)):
        of = slice(index, index + 1) if separation != "grey" and index < 3 else slice(None)
        thresholds = screen(40, 33, shape, 4.4, angle, SHIFT)
        for row, column in np.ndindex(40, 33):
            if amount[row, column] > thresholds[row, column]:
                light[of, row, column] *= 0.25
    torch.testing.assert_close(found, light, atol=1e-12, rtol=0)
    if separation == "grey":
        assert torch.equal(found[:1].expand(3, -1, -1), found)


def test_paper_stays_white_and_the_fullest_ink_has_no_gaps():
    for separation in SEPARATIONS:
        for ink in (0.0, 0.6, 1.0):
            drawn = settings(separation=separation, ink=ink)
            assert printed(plain(1.0, 20), drawn).eq(1).all()
            black = printed(plain(0.0, 20), drawn)
            torch.testing.assert_close(black, torch.full_like(black, 1 - ink))


def test_draws():
    made = create_degradation(
        {
            "type": "Screentone",
            "separations": SEPARATIONS,
            "shapes": SHAPES,
            "dot_size": (3, 9),
            "cyan": (10, 20),
            "magenta": (-80, -70),
            "yellow": 0,
            "black": (30, 60),
            "ink": (0.25, 0.75),
        },
        1,
    )
    drawn = [made.sample_one((3, 8, 8), seed).params for seed in range(3000)]
    assert_equally_likely([one["separation"] for one in drawn], SEPARATIONS)
    assert_equally_likely([one["shape"] for one in drawn], SHAPES)
    assert_uniform([one["dot_size"] for one in drawn], 3, 9)
    assert_uniform([one["ink"] for one in drawn], 0.25, 0.75)
    for place, (low, high) in {0: (10, 20), 1: (-80, -70), 3: (30, 60)}.items():
        assert_uniform([one["angles"][place] for one in drawn], low, high)
    assert {one["angles"][2] for one in drawn} == {0.0}
    for axis in (0, 1):
        assert_uniform([one["shift"][axis] for one in drawn], 0, 1)
    assert_independent(*zip(*[one["shift"] for one in drawn], strict=True))


def test_batches_replay_what_each_image_drew():
    made = create_degradation({"type": "Screentone", "separations": SEPARATIONS}, 1)
    hr = torch.stack([picture(seed).float() for seed in range(4)])
    traces = [Trace.from_json(one.to_json()) for one in made.sample(hr, range(4))]
    names = ("separation", "shape", "dot_size", "angles", "shift", "ink")
    for image, trace, lr in zip(hr, traces, made(hr, range(4)), strict=True):
        drawn = ScreentoneParams(*(trace.params[name] for name in names))
        assert torch.equal(lr, printed(image, drawn))


@pytest.mark.parametrize("separation", SEPARATIONS)
def test_luma_and_grey_are_those_of_the_grey_picture(separation):
    made = create_degradation({"type": "Screentone", "separations": [separation]}, 1)
    # Levels of 8 bit, which no rounding moves across a threshold.
    grey = rgb_to_grey(picture(2).float()[None]).mul(255).round().div(255)
    colour = made(grey.expand(-1, 3, -1, -1), [5])
    luma = made(rgb_to_y(grey.expand(-1, 3, -1, -1)), [5])
    torch.testing.assert_close(luma, rgb_to_y(colour), atol=1e-5, rtol=0)
    with one_channel_is_grey():
        torch.testing.assert_close(made(grey, [5]), rgb_to_grey(colour), atol=1e-5, rtol=0)


def test_values_beyond_the_range():
    made = create_degradation("Screentone", 1)
    lr = made(picture().float()[None] * 1.4 - 0.2, [0])
    assert lr.min() >= 0 and lr.max() <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        dict(separations=()),
        dict(separations=("hsv",)),
        dict(shapes=("square",)),
        dict(dot_size=1),
        dict(dot_size=(9, 3)),
        dict(cyan=(10, -10)),
        dict(black=400),
        dict(ink=1.5),
    ],
)
def test_refusals(wrong):
    with pytest.raises(ConfigError, match=f"Screentone: {next(iter(wrong))}"):
        create_degradation({"type": "Screentone", **wrong})


@pytest.mark.parametrize(
    "wrong", [dict(shift=[0.2, 1.5]), dict(angles=[0, 0, 0]), dict(dot_size=0.0), dict(ink=2.0)]
)
def test_a_trace_of_another_range_is_refused(wrong):
    made, hr = create_degradation("Screentone", 1), picture().float()[None]
    (trace,) = made.sample(hr, [0])
    with pytest.raises(DataError, match=f"'{next(iter(wrong))}'"):
        made.replay(hr, [Trace(trace.type, {**trace.params, **wrong}, trace.size)])
