"""What BSRGAN and BSRGAN+ draw, 10,000 times, against the constants of their released code."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from scipy import stats

from realdeg import create_degradation
from tests.degradations.statistics import (
    DRAWS,
    assert_equally_likely,
    assert_follows,
    assert_independent,
    assert_share,
    assert_shares,
    assert_uniform,
)

# So large that rounding a size to whole pixels does not show in a factor.
SIDE = 40_000
MODES = ("cv2_linear", "cv2_cubic", "cv2_area")


def draw(name, scale=4, draws=DRAWS, side=SIDE, **arguments):
    degradation = create_degradation({"type": name, **arguments}, scale=scale)
    return [degradation.sample_one((3, side, side), seed).params["steps"] for seed in range(draws)]


def of(plans, op):
    return [step for steps in plans for step in steps if step["op"] == op]


@pytest.fixture(scope="module")
def bsrgan():
    return draw("BSRGAN", halving_probability=0)


def shrinks(steps):
    """The first and second shrinking of one plan."""
    return [step for step in steps if step["op"] in ("resize", "shifted_kernel_down")]


class TestBSRGAN:
    def test_order_is_uniform_but_for_the_two_shrinkings(self):
        plans = draw("BSRGAN", halving_probability=0, jpeg_probability=1)
        letters = {"blur": "b", "gaussian_noise": "n", "jpeg": "j", "shifted_kernel_down": "s"}
        seen = []
        for steps in plans:
            assert steps[-1]["op"] == "jpeg"
            word = "".join(letters.get(step["op"], "s") for step in steps[:-1])
            assert word.count("s") == 2 and steps[word.rindex("s")]["op"] == "resize"
            seen.append(word)
        assert_equally_likely(seen, sorted({"".join(p) for p in permutations("bbssnj")}))

    def test_always_two_blurs_and_one_or_two_jpegs(self, bsrgan):
        assert all(len(of([steps], "blur")) == 2 for steps in bsrgan)
        assert all(len(of([steps], "gaussian_noise")) == 1 for steps in bsrgan)
        twice = sum(len(of([steps], "jpeg")) == 2 for steps in bsrgan)
        assert_share(twice, DRAWS, 0.9)
        assert all(len(of([steps], "jpeg")) in (1, 2) for steps in bsrgan)

    @pytest.mark.parametrize("scale", [2, 4])
    def test_blur_kernels(self, bsrgan, scale):
        plans = bsrgan if scale == 4 else draw("BSRGAN", scale, draws=2000)
        kernels = [step["kernel"] for step in of(plans, "blur")]
        assert_equally_likely([kernel["size"] for kernel in kernels], range(7, 26, 2))
        round_ones = [kernel for kernel in kernels if kernel["shape"] == "gaussian"]
        others = [kernel for kernel in kernels if kernel["shape"] == "gaussian_variance"]
        assert_share(len(round_ones), len(kernels), 0.5)
        assert len(round_ones) + len(others) == len(kernels)
        assert_uniform([kernel["sigma_x"] for kernel in round_ones], 0, 2 + 0.2 * scale)
        for name in ("variance_x", "variance_y"):
            assert_uniform([kernel[name] for kernel in others], 0, 4 + scale)
        assert_uniform([kernel["angle"] for kernel in others], 0, math.pi)
        assert_independent(
            [kernel["variance_x"] for kernel in others], [kernel["variance_y"] for kernel in others]
        )

    def test_first_shrinking(self, bsrgan):
        firsts = [shrinks(steps)[0] for steps in bsrgan]
        shifted = [step for step in firsts if step["op"] == "shifted_kernel_down"]
        resized = [step for step in firsts if step["op"] == "resize"]
        assert_share(len(shifted), DRAWS, 0.25)
        assert_uniform([step["sigma"] for step in shifted], 0.1, 0.6 * 4)
        assert {(step["kernel_size"], step["scale"]) for step in shifted} == {(25, 4)}
        factors = [SIDE / step["size"][0] for step in resized]
        assert_uniform([min(max(factor, 1), 8) for factor in factors], 1, 8)
        assert_equally_likely([step["mode"] for step in resized], MODES)

    def test_second_shrinking_ends_at_the_size_asked_for(self, bsrgan):
        seconds = [shrinks(steps)[1] for steps in bsrgan]
        assert all(step["size"] == [SIDE // 4, SIDE // 4] for step in seconds)
        assert_equally_likely([step["mode"] for step in seconds], MODES)

    def test_noise(self, bsrgan):
        noises = of(bsrgan, "gaussian_noise")
        shares = {"white": 0.4, "grey": 0.4, "correlated": 0.2}
        assert_shares([noise["kind"] for noise in noises], shares)
        levels = [noise["sigma"] for noise in noises if noise["kind"] != "correlated"]
        assert_equally_likely(levels, range(2, 26))
        # The trace of |L^2 U' D U| is L^2 (d1 + d2 + d3), a sum of three uniform numbers.
        traces = [
            sum(noise["covariance"][i][i] for i in range(3)) / (25 / 255) ** 2
            for noise in noises
            if noise["kind"] == "correlated"
        ]
        assert_follows(traces, stats.irwinhall(3))
        assert len({noise["noise_seed"] for noise in noises}) == DRAWS

    def test_jpeg_qualities(self, bsrgan):
        assert_equally_likely([step["quality"] for step in of(bsrgan, "jpeg")], range(30, 96))

    def test_halving_fires_at_scale_4_only(self):
        halved = []
        for steps in draw("BSRGAN"):
            sizes = [step for step in steps if step["op"] in ("resize", "shifted_kernel_down")]
            if len(sizes) == 3:
                assert steps[0]["size"] == [SIDE // 2, SIDE // 2]
                halved.append(steps)
        assert_share(len(halved), DRAWS, 0.25)
        modes = dict.fromkeys(MODES, 1 / 6) | {"matlab_bicubic": 1 / 2}
        assert_shares([steps[0]["mode"] for steps in halved], modes)
        # What is left to lose is 2 then, and every bound follows it.
        kernels = [step["kernel"] for step in of(halved, "blur")]
        wide = [kernel["sigma_x"] for kernel in kernels if kernel["shape"] == "gaussian"]
        assert_uniform(wide, 0, 2.4)
        for scale in (2, 3):
            plans = draw("BSRGAN", scale, draws=500)
            assert all(len(shrinks(steps)) == 2 for steps in plans)

    def test_the_sensor_is_drawn_when_there_is_one(self):
        plans = draw("BSRGAN", isp={"type": "AWGN"}, side=64)
        assert_share(len(of(plans, "part")), DRAWS, 0.25)
        assert not of(draw("BSRGAN", draws=300), "part")


@pytest.fixture(scope="module")
def plus():
    return draw("BSRGANPlus", shuffle_probability=0)


NOISES = ("gaussian_noise", "poisson_noise", "speckle_noise")


class TestBSRGANPlus:
    def test_fixed_order(self, plus):
        for steps in plus:
            ops = [step["op"] for step in steps if step["op"] not in NOISES]
            assert ops == ["blur", "resize", "jpeg", "blur", "resize", "resize", "jpeg"]
            assert steps[-2]["size"] == [SIDE // 4, SIDE // 4]

    def test_noises_of_a_round_come_in_any_order(self):
        plans = draw(
            "BSRGANPlus",
            shuffle_probability=0,
            poisson_probability=1,
            speckle_probability=1,
            isp={"type": "AWGN"},
            isp_probability=1,
            side=64,
            draws=5000,
        )
        every = [*NOISES, "part"]
        assert all(len(steps) == 15 for steps in plans)
        for start in (2, 9):
            orders = [tuple(step["op"] for step in steps[start : start + 4]) for steps in plans]
            assert_equally_likely(orders, list(permutations(every)))

    def test_everything_is_shuffled_now_and_then(self, plus):
        fixed = ["blur", "resize", "jpeg", "blur", "resize", "resize", "jpeg"]
        plans = draw("BSRGANPlus", side=64)
        ops = [[s["op"] for s in steps if s["op"] not in NOISES] for steps in plans]
        # A shuffled plan looks like a fixed one, noise aside, in 1 of 5! / (2! 2!) = 30 cases.
        assert_share(sum(op != fixed for op in ops), DRAWS, 0.1 * 29 / 30)
        always = draw("BSRGANPlus", shuffle_probability=1)
        first = [steps[0]["op"] for steps in always]
        assert_share(first.count("blur"), first.count("blur") + first.count("resize"), 0.5)

    def test_resizing(self, plus):
        factors = []
        for steps in plus:
            first, second = of([steps], "resize")[:2]
            factors += [first["size"][0] / SIDE, second["size"][0] / first["size"][0]]
        kinds = ["up" if f > 1 else "down" if f < 1 else "keep" for f in factors]
        # A factor within one pixel of 1 is too rare to matter.
        assert_shares(kinds, {"up": 0.2, "down": 0.7, "keep": 0.1})
        assert_uniform([f for f in factors if f > 1], 1, 2)
        # A size is rounded down, by a pixel of 5,000 at the least.
        down = [max(f, 0.125) for f in factors if f < 1]
        assert_uniform(down, 0.125, 1)
        assert_equally_likely([step["mode"] for step in of(plus, "resize")], MODES)

    def test_rare_noises(self, plus):
        poisson, speckle = of(plus, "poisson_noise"), of(plus, "speckle_noise")
        assert_share(len(poisson), 2 * DRAWS, 0.1)
        assert_share(len(speckle), 2 * DRAWS, 0.1)
        assert_uniform([math.log10(step["peak"]) for step in poisson], 2, 4)
        assert_share(sum(step["grey"] for step in poisson), len(poisson), 0.5)
        shares = {"white": 0.4, "grey": 0.4, "correlated": 0.2}
        assert_shares([step["kind"] for step in speckle], shares)
        assert len(of(plus, "gaussian_noise")) == 2 * DRAWS

    def test_sharpening_is_off_unless_asked_for(self, plus):
        assert not of(plus, "unsharp")
        (sharp,) = draw("BSRGANPlus", draws=1, sharpen=True)
        assert sharp[0] == {"op": "unsharp", "weight": 0.5, "radius": 50, "threshold": 10.0}
