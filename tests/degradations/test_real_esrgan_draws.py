"""What Real-ESRGAN draws, 10,000 times, against its paper and options file."""

from __future__ import annotations

import math

import pytest

from realdeg import create_degradation
from tests.degradations.statistics import (
    DRAWS,
    assert_equally_likely,
    assert_independent,
    assert_share,
    assert_shares,
    assert_uniform,
)

SIDE = 40_000
SIZES = range(7, 22, 2)
MODES = ("torch_area", "torch_bilinear", "torch_bicubic")
NOISES = ("gaussian_noise", "poisson_noise")


def draw(draws=DRAWS, **arguments):
    degradation = create_degradation({"type": "RealESRGAN", **arguments}, scale=4)
    return [degradation.sample_one((3, SIDE, SIDE), seed).params["steps"] for seed in range(draws)]


def split(steps):
    """Return the steps of the first order, of the second, and what ends the second."""
    ops = [step["op"] for step in steps]
    first_jpeg = ops.index("jpeg")
    noise = max(index for index, op in enumerate(ops) if op in NOISES)
    return steps[1 : first_jpeg + 1], steps[first_jpeg + 1 : noise + 1], steps[noise + 1 :]


@pytest.fixture(scope="module")
def plans():
    return [split(steps) for steps in draw()]


def pick(orders, *ops):
    return [step for steps in orders for step in steps if step["op"] in ops]


class TestOrders:
    def test_fixed_sequence(self, plans):
        for first, second, end in plans:
            ops = [step["op"] for step in first]
            assert ops[:2] == ["blur", "resize"] and ops[2] in NOISES and ops[3:] == ["jpeg"]
            ops = [step["op"] for step in second]
            assert ops[-2] == "resize" and ops[-1] in NOISES and ops[:-2] in ([], ["blur"])
            assert end[-1] == {"op": "quantise"}

    def test_the_image_is_sharpened_first(self):
        assert draw(1)[0][0] == {"op": "unsharp", "weight": 0.5, "radius": 50, "threshold": 10.0}
        assert draw(1, sharpen=False)[0] == draw(1)[0][1:]

    def test_second_blur(self, plans):
        assert_share(len(pick([second for _, second, _ in plans], "blur")), DRAWS, 0.8)

    def test_resizing(self, plans):
        for place, base, up, down, high, low in (
            (0, SIDE, 0.2, 0.7, 1.5, 0.15),
            (1, SIDE // 4, 0.3, 0.4, 1.2, 0.3),
        ):
            steps = pick([plan[place] for plan in plans], "resize")
            factors = [step["size"][0] / base for step in steps]
            kinds = ["up" if f > 1 else "down" if f < 1 else "keep" for f in factors]
            assert_shares(kinds, {"up": up, "down": down, "keep": 1 - up - down})
            assert_uniform([f for f in factors if f > 1], 1, high)
            assert_uniform([max(f, low) for f in factors if f < 1], low, 1)
            assert_equally_likely([step["mode"] for step in steps], MODES)

    def test_noise(self, plans):
        for place, sigma, scale in ((0, 30, 3), (1, 25, 2.5)):
            noises = pick([plan[place] for plan in plans], *NOISES)
            gaussian = [noise for noise in noises if noise["op"] == "gaussian_noise"]
            poisson = [noise for noise in noises if noise["op"] == "poisson_noise"]
            assert_share(len(gaussian), DRAWS, 0.5)
            assert_uniform([noise["sigma"] for noise in gaussian], 1, sigma)
            assert_uniform([noise["scale"] for noise in poisson], 0.05, scale)
            assert_share(sum(noise["grey"] for noise in poisson), len(poisson), 0.4)
            shares = {"grey": 0.4, "white": 0.6}
            assert_shares([noise["kind"] for noise in gaussian], shares)
            assert {noise["peak"] for noise in poisson} == {"levels"}

    def test_jpeg(self, plans):
        # A uniform number of 30 to 95 is rounded: the two ends get half a share.
        shares = {quality: 1.0 for quality in range(30, 96)} | {30: 0.5, 95: 0.5}
        for place in (0, 2):
            steps = pick([plan[place] for plan in plans], "jpeg")
            assert len(steps) == DRAWS
            assert_shares([step["quality"] for step in steps], shares)
        exact = draw(2000, codec="differentiable")
        assert_uniform([s["quality"] for s in pick(exact, "differentiable_jpeg")], 30, 95)

    def test_end(self, plans):
        ends = ["".join(step["op"][0] for step in end) for _, _, end in plans]
        # resize, sinc (blur), jpeg, quantise: the sinc is there in 4 of 5 cases.
        shares = {"rbjq": 0.4, "rjq": 0.1, "jrbq": 0.4, "jrq": 0.1}
        assert_shares(ends, shares)
        sincs = [step["kernel"] for step in pick([end for _, _, end in plans], "blur")]
        assert {kernel["shape"] for kernel in sincs} == {"sinc"}
        assert_uniform([kernel["cutoff"] for kernel in sincs], math.pi / 3, math.pi)
        assert_equally_likely([kernel["size"] for kernel in sincs], SIZES)
        resized = pick([end for _, _, end in plans], "resize")
        assert all(step["size"] == [SIDE // 4, SIDE // 4] for step in resized)
        assert_equally_likely([step["mode"] for step in resized], MODES)


@pytest.mark.parametrize(("place", "widest"), [(0, 3.0), (1, 1.5)])
class TestKernels:
    @pytest.fixture
    def kernels(self, plans, place):
        return [step["kernel"] for step in pick([plan[place] for plan in plans], "blur")]

    def test_shapes(self, kernels, widest):
        assert_equally_likely([kernel["size"] for kernel in kernels], SIZES)

        def kind(kernel):
            if kernel["shape"] == "sinc":
                return "sinc"
            if kernel["shape"] == "gaussian":
                return f"gaussian {'sigma_y' not in kernel}"
            return f"{kernel['shape']} {kernel['sigma_y'] == kernel['sigma_x']}"

        shares = {
            "gaussian True": 0.45,
            "gaussian False": 0.25,
            "generalised True": 0.12,
            "generalised False": 0.03,
            "plateau True": 0.12,
            "plateau False": 0.03,
        }
        shares = {name: 0.9 * share for name, share in shares.items()} | {"sinc": 0.1}
        assert_shares([kind(kernel) for kernel in kernels], shares)

    def test_widths_and_angles(self, kernels, widest):
        assert_uniform([k["sigma_x"] for k in kernels if k["shape"] != "sinc"], 0.2, widest)
        oval = [k for k in kernels if k.get("sigma_y", k.get("sigma_x")) != k.get("sigma_x")]
        assert_uniform([k["sigma_y"] for k in oval], 0.2, widest)
        assert_uniform([k["angle"] for k in oval], -math.pi, math.pi)
        assert_independent([k["sigma_x"] for k in oval], [k["sigma_y"] for k in oval])

    def test_betas(self, kernels, widest):
        general = [k["beta"] for k in kernels if k["shape"] == "generalised"]
        low, high = [b for b in general if b < 1], [b for b in general if b >= 1]
        assert_share(len(low), len(general), 0.5)
        assert_uniform(low, 0.5, 1)
        assert_uniform(high, 1, 4)
        plateau = [k["beta"] for k in kernels if k["shape"] == "plateau"]
        assert_share(plateau.count(1.0), len(plateau), 0.5)
        assert_uniform([b for b in plateau if b != 1.0], 1, 2)

    def test_sinc_cutoffs(self, kernels, widest):
        sincs = [k for k in kernels if k["shape"] == "sinc"]
        small = [k["cutoff"] for k in sincs if k["size"] < 13]
        large = [k["cutoff"] for k in sincs if k["size"] >= 13]
        assert_uniform(small, math.pi / 3, math.pi)
        assert_uniform(large, math.pi / 5, math.pi)
        # 13 pixels are wide enough for a low cut-off, the first size that is.
        assert min(k["cutoff"] for k in sincs if k["size"] == 13) < math.pi / 3
