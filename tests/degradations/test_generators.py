"""DSGAN and High-to-Low: what their papers say."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.degradations.bicubic import reduce_bicubic
from realdeg.degradations.dsgan import DSGAN
from realdeg.degradations.high_to_low import HighToLow
from realdeg.degradations.primitives import imresize
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.utils.colour import rgb_to_y


@pytest.fixture(autouse=True)
def same_start():
    """Small networks at random may be dead; every test begins with the same living ones."""
    torch.manual_seed(0)


def _hr(channels: int = 3, height: int = 32, width: int = 48) -> torch.Tensor:
    return torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(4))


class TestDSGAN:
    def test_sizes_are_the_paper_s(self):
        degradation = DSGAN()
        assert sum(p.numel() for p in degradation.parameters()) == 594_380
        names = list(degradation.network.state_dict())
        assert names[:3] == ["block_input.0.weight", "block_input.0.bias", "block_input.1.weight"]
        assert "res_blocks.7.conv2.bias" in names and names[-1] == "block_output.bias"
        assert degradation.describe().endswith("generator of 8 blocks of 64 channels")

    def test_the_generator_follows_the_reduction(self):
        degradation = DSGAN(4, False, width=4, num_blocks=2)
        hr = _hr()
        expected = degradation.network(reduce_bicubic(hr, 4, False))
        assert torch.equal(degradation(hr), expected)
        assert 0 < expected.min() and expected.max() < 1

    def test_both_ways_to_the_hr_grid(self):
        hr = _hr()
        first = DSGAN(4, True, width=4, num_blocks=1, grid="lr")
        small = first.network(reduce_bicubic(hr, 4, False))
        assert torch.equal(first(hr), imresize(small, size=(32, 48)))
        second = DSGAN(4, True, width=4, num_blocks=1, grid="hr")
        assert torch.equal(second(hr), second.network(reduce_bicubic(hr, 4, True)))

    @pytest.mark.parametrize("same_size", [False, True])
    def test_untaught_with_a_residual_is_the_reduction(self, same_size):
        degradation = DSGAN(2, same_size, width=4, num_blocks=1, residual=True)
        hr = _hr()
        torch.testing.assert_close(degradation(hr), reduce_bicubic(hr, 2, same_size))

    def test_luma_is_the_grey_picture_of_that_luma(self):
        degradation = DSGAN(2, False, width=4, num_blocks=1)
        grey = _hr(1).expand(-1, 3, -1, -1)
        expected = rgb_to_y(degradation(grey))
        torch.testing.assert_close(degradation(rgb_to_y(grey)), expected, atol=1e-6, rtol=0)
        assert degradation.needs_rgb

    @pytest.mark.parametrize("settings", [dict(), dict(same_size=True), dict(grid="hr")])
    def test_the_border_is_as_wide_as_it_says(self, settings):
        settings = {"same_size": "grid" in settings, **settings}
        degradation = DSGAN(2, width=3, num_blocks=1, **settings).double()
        hr = _hr(height=96, width=96).double()
        inner = degradation(hr[..., 16:-16, 16:-16])
        shift = 16 if degradation.same_size else 8
        whole = degradation(hr)[..., shift:-shift, shift:-shift]
        rim = degradation.border
        differs = (inner - whole).abs().amax((0, 1))
        assert differs[rim:-rim, rim:-rim].max() < 1e-12 < differs.max()

    def test_refusals(self):
        with pytest.raises(ConfigError, match="grid"):
            DSGAN(grid="both")
        with pytest.raises(ConfigError, match="width"):
            DSGAN(width=0)


class TestHighToLow:
    def test_sizes_are_the_authors(self):
        network = HighToLow().network
        # 64 -> 32 -> 16 -> 8 -> 4 by strides, 4 -> 16 by two shuffles, in 12 blocks.
        assert (network.multiple, network.doublings) == (16, 2)
        strided = [m for m in network.modules() if getattr(m, "stride", (1, 1)) == (2, 2)]
        assert len(strided) == 4
        assert sum(type(m).__name__ == "_Block" for m in network.modules()) == 12
        assert network.weight.tolist() == [0, 0, 0]
        assert HighToLow(4).eval()(_hr(height=64, width=64)).shape == (2, 3, 16, 16)

    @pytest.mark.parametrize("scale", [2, 3, 4, 8])
    def test_every_scale_in_both_geometries(self, scale):
        for same_size in (False, True):
            degradation = HighToLow(scale, same_size, width=2).eval()
            hr = _hr(height=48, width=24)
            stride = 1 if same_size else scale
            assert degradation(hr).shape == (2, 3, 48 // stride, 24 // stride)
            assert degradation.clean(hr).shape == degradation(hr).shape
        with pytest.raises(GeometryError, match="scale is 5, wanted 2, 3, 4 or 8"):
            HighToLow(5)

    def test_clean_is_the_mean_of_blocks(self):
        hr = _hr()
        torch.testing.assert_close(HighToLow(4, width=2).clean(hr), F.avg_pool2d(hr, 4))
        # A size that does not divide is continued, so that nothing is shifted or stretched.
        odd = HighToLow(4, True, width=2).clean(hr[..., :30, :45])
        whole = HighToLow(4, True, width=2).clean(hr)
        torch.testing.assert_close(odd[..., :16, :32], whole[..., :16, :32])

    @pytest.mark.parametrize("noise", ["map", "vector"])
    def test_noise_follows_the_seed(self, noise):
        degradation = HighToLow(4, width=4, noise=noise).eval()
        if noise == "map":
            degradation.network.weight.data.fill_(0.5)
        hr = _hr()
        first, second = degradation(hr, [1, 2]), degradation(hr, [1, 3])
        assert torch.equal(first[0], second[0]) and not torch.equal(first[1], second[1])
        traces = degradation.sample(hr, [1, 2])
        assert torch.equal(degradation.replay(hr, traces), first)
        assert traces[0].params["noise_seed"] != traces[1].params["noise_seed"]

    def test_no_noise_draws_nothing(self):
        degradation = HighToLow(4, width=4, noise="none").eval()
        assert torch.equal(degradation(_hr(), [1, 2]), degradation(_hr(), [3, 4]))
        assert "noise_seed" not in degradation.sample(_hr(), [1, 2])[0].params

    @pytest.mark.parametrize("value", [-1, 2**64, "1", 1.0, True, None])
    def test_hostile_traces(self, value):
        degradation = HighToLow(4, width=2).eval()
        hr = _hr()
        traces = degradation.sample(hr, [1, 2])
        bad = Trace(traces[0].type, {**traces[0].params, "noise_seed": value}, traces[0].size)
        with pytest.raises(DataError, match="noise_seed"):
            degradation.replay(hr, [bad, traces[1]])
        params = {k: v for k, v in traces[0].params.items() if k != "noise_seed"}
        with pytest.raises(DataError, match="lacks 'noise_seed'"):
            degradation.replay(hr, [Trace(bad.type, params, bad.size), traces[1]])

    def test_refusals(self):
        with pytest.raises(ConfigError, match="noise"):
            HighToLow(noise="white")
        with pytest.raises(ConfigError, match="width"):
            HighToLow(width=0)
        with pytest.raises(DataError, match="1 seeds"):
            HighToLow(width=2)(_hr(), [1])
