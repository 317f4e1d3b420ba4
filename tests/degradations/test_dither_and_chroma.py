"""Ordered dithering and displaced chroma against slow loops and known images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg import create_degradation
from realdeg.degradations.chroma_shift import moved
from realdeg.degradations.dither import bayer, ordered_dither
from realdeg.errors import ConfigError
from realdeg.utils.colour import rgb_to_ycbcr

# Bayer 1973, as printed in every textbook.
FOUR = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]


class TestDither:
    def test_the_matrix(self):
        assert bayer(4).tolist() == FOUR
        assert sorted(bayer(8).flatten().tolist()) == list(range(64))

    @pytest.mark.parametrize(("levels", "side"), [(2, 4), (5, 4), (3, 1), (2, 8)])
    def test_against_a_loop(self, levels, side):
        image = torch.rand(3, 13, 10, generator=torch.Generator().manual_seed(0))
        matrix = np.array(FOUR) if side == 4 else bayer(side).numpy()
        wanted = np.empty(image.shape)
        for channel, row, column in np.ndindex(*image.shape):
            threshold = (matrix[row % side, column % side] + 0.5) / side**2
            value = float(image[channel, row, column]) * (levels - 1)
            wanted[channel, row, column] = int(value + threshold) / (levels - 1)
        found = ordered_dither(image, levels, side)
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)

    def test_a_plain_area_keeps_its_mean(self):
        """To within half an entry of the matrix, which is what dithering is for."""
        for value in torch.linspace(0, 1, 41).tolist():
            found = ordered_dither(torch.full((1, 16, 16), value), 2, 8)
            assert float(found.mean()) == pytest.approx(value, abs=1 / 128 + 1e-6)
            assert set(found.unique().tolist()) <= {0.0, 1.0}

    def test_draws(self):
        made = create_degradation({"type": "Dither", "levels": (3, 5), "sides": (1, 8)}, 1)
        drawn = [made.sample_one((3, 8, 8), seed).params for seed in range(300)]
        assert {one["levels"] for one in drawn} == {3, 4, 5}
        assert {one["side"] for one in drawn} == {1, 8}
        one = create_degradation({"type": "Dither", "levels": 2}, 1)
        lr = one(torch.rand(2, 3, 16, 16), [0, 1])
        assert set(lr.unique().tolist()) == {0.0, 1.0}

    @pytest.mark.parametrize("wrong", [dict(levels=1), dict(sides=(3,)), dict(sides=())])
    def test_refusals(self, wrong):
        with pytest.raises(ConfigError, match="Dither"):
            create_degradation({"type": "Dither", **wrong})


class TestChromaShift:
    @pytest.mark.parametrize("by", [(0, 0), (2, -3), (-1, 1), (0.25, -1.75)])
    def test_a_ramp_moves_by_what_is_said(self, by):
        rows, columns = torch.meshgrid(torch.arange(20.0), torch.arange(24.0), indexing="ij")
        plane = (rows + 10 * columns)[None]
        found = moved(plane, by)
        inner = (..., slice(4, -4), slice(4, -4))
        wanted = plane - by[0] - 10 * by[1]
        torch.testing.assert_close(found[inner], wanted[inner], atol=1e-4, rtol=0)

    def test_luma_stays_and_chroma_moves(self):
        made = create_degradation({"type": "ChromaShift", "rows": 3, "columns": 3}, 1)
        # Soft colours: none of them leaves the cube of RGB when they move.
        hr = 0.4 + 0.2 * torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
        (trace,) = made.sample(hr, [4])
        before, after = rgb_to_ycbcr(hr)[0], rgb_to_ycbcr(made.replay(hr, [trace]))[0]
        torch.testing.assert_close(after[0], before[0], atol=1e-6, rtol=0)
        wanted = moved(before[1:2], trace.params["cb"])
        torch.testing.assert_close(after[1:2], wanted, atol=1e-6, rtol=0)
        assert (after[1] - before[1]).abs().max() > 1e-3

    def test_draws(self):
        arguments = {"type": "ChromaShift", "rows": 0.5, "columns": 4}
        together = create_degradation(arguments, 1)
        apart = create_degradation({**arguments, "together": False}, 1)
        for seed in range(50):
            one, two = (made.sample_one((3, 8, 8), seed).params for made in (together, apart))
            assert one["cb"] == one["cr"] == two["cb"] != two["cr"]
            for rows, columns in (two["cb"], two["cr"]):
                assert abs(rows) <= 0.5 and abs(columns) <= 4
        widest = max(abs(apart.sample_one((3, 8, 8), s).params["cr"][1]) for s in range(200))
        assert widest > 3.8

    def test_grey_images_stay(self):
        made = create_degradation("ChromaShift", 1)
        hr = torch.rand(2, 1, 8, 8)
        assert torch.equal(made(hr, [0, 1]), hr)

    def test_grey_edges_are_clipped_as_those_of_colour(self):
        """Bicubic reduction overshoots there."""
        made = create_degradation("ChromaShift", 2)
        edge = torch.zeros(1, 1, 32, 32)
        edge[..., 16:] = 1
        lr = made(edge, [0])
        assert lr.min() == 0 and lr.max() == 1
