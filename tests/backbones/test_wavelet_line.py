"""The networks on wavelet bands: numbers, names, and that each equals its description."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import Outputs, load_weights
from realdeg.backbones.dwsr import DWSR
from realdeg.backbones.mwcnn import MWCNN
from realdeg.backbones.wave_resnet import WaveResNet
from realdeg.backbones.wavelet_srnet import WaveletSRNet
from realdeg.degradations.primitives.wavelets import (
    haar,
    haar_packet,
    inverse_haar,
)
from realdeg.errors import ConfigError, GeometryError
from tests.backbones.judging import on_meta, parameters, shapes


@pytest.mark.parametrize(
    ("cls", "settings", "count"),
    [
        (DWSR, {}, 378_052),
        (MWCNN, {}, 24_927_809),
        (MWCNN, {"colour": "rgb"}, 24_930_115),
        (MWCNN, {"version": "v1"}, 16_158_308),
        (WaveResNet, {}, 16_629_444),
        (WaveResNet, {"preset": "ntire"}, 23_088_652),
        (WaveResNet, {"preset": "ntire_unknown"}, 23_254_576),
        (WaveletSRNet, {"scale": 2}, 46_327_372),
        (WaveletSRNet, {}, 51_353_968),
        (WaveletSRNet, {"scale": 8}, 74_999_296),
        (WaveletSRNet, {"scale": 16}, 226_203_712),
    ],
)
def test_parameters(cls, settings, count):
    assert parameters(on_meta(cls, **settings)) == count
    assert f"{count:,}" in cls.__doc__


@pytest.mark.parametrize(
    ("cls", "settings", "total", "some"),
    [
        (
            DWSR,
            {},
            24,
            {"conv_00.weight": (64, 4, 5, 5), "conv_10.bias": (64,), "conv_20.bias": (4,)},
        ),
        (
            MWCNN,
            {},
            48,
            {
                "head.0.body.0.weight": (64, 1, 3, 3),
                "d_l0.0.body.2.weight": (64, 64, 3, 3),
                "d_l1.0.body.0.weight": (128, 256, 3, 3),
                "d_l2.0.body.0.weight": (256, 512, 3, 3),
                "pro_l3.0.body.0.weight": (512, 1024, 3, 3),
                "pro_l3.1.body.2.weight": (512, 512, 3, 3),
                "pro_l3.3.body.0.weight": (1024, 512, 3, 3),
                "i_l2.1.body.0.weight": (512, 256, 3, 3),
                "i_l1.1.body.0.weight": (256, 128, 3, 3),
                "i_l0.0.body.2.bias": (64,),
                "tail.0.weight": (1, 64, 3, 3),
            },
        ),
        (
            WaveletSRNet,
            {},
            # Input, trunk, its four widenings and three heads with a bias each; their norms.
            1 + 2 * 10 + 4 + 3 * (3 + 3 + 1) + 3 + 5 * (1 + 2 * 10 + 3 * 4),
            {
                "conv_input.weight": (64, 3, 3, 3),
                "bn_input.running_var": (64,),
                "residual.0.0.conv1.weight": (64, 64, 3, 3),
                "residual.1.0.conv_expand.weight": (128, 64, 1, 1),
                "residual.4.1.bn2.bias": (1024,),
                "interim_0.conv_expand.weight": (32, 1024, 1, 1),
                "interim_2.conv1.weight": (384, 1024, 3, 3),
                "interim_2.conv2.weight": (384, 32, 3, 3),
                "wavelet_2.0.conv1.weight": (768, 32, 3, 3),
                "wavelet_2.0.conv_expand.weight": (768, 384, 1, 1),
                "predict_2.weight": (36, 64, 3, 3),
                "predict_2.bias": (36,),
            },
        ),
    ],
)
def test_keys(cls, settings, total, some):
    found = shapes(on_meta(cls, **settings))
    assert {name: found[name] for name in some} == some
    assert len(found) == total


SMALL = {
    "DWSR": lambda: DWSR(scale=2, depth=2, width=8),
    "WaveResNet": lambda: WaveResNet(scale=2, num_blocks=1, width=8),
    "WaveResNet-unknown": lambda: WaveResNet(
        scale=2, preset="ntire_unknown", num_blocks=1, width=8
    ),
    "MWCNN": lambda: MWCNN(scale=2, width=8),
    "MWCNN-v1": lambda: MWCNN(scale=2, version="v1", width=8),
    "WaveletSRNet": lambda: WaveletSRNet(scale=4, widths=[16, 16], num_blocks=1, band_width=4),
}


@pytest.mark.parametrize("name", SMALL)
def test_learns(name):
    """Thirty iterations lower the mean squared error of a fixed small batch."""
    torch.manual_seed(0)
    network = SMALL[name]().train()
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(4, network.channels, 4, 4, generator=generator)
    hr = F.interpolate(coarse, size=(16, 16), mode="bicubic").clamp(0, 1)
    lr = F.avg_pool2d(hr, network.scale)
    if network.upsample == "pre":
        lr = F.interpolate(lr, size=(16, 16), mode="bicubic")
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(31):
        output = network(lr * network.value_range)
        if isinstance(output, Outputs):
            loss = _loss_of_wavelet_srnet(network, output, hr)
        else:
            loss = F.mse_loss(output / network.value_range, hr)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.95 * losses[0]


def _loss_of_wavelet_srnet(network, output, hr):
    """The paper's: bands, image, and a term that keeps the fine bands from fading."""
    targets, batch = network.targets(hr), len(hr)

    def error(found, wanted):
        return (found - wanted).square().sum() / (2 * batch)

    high, wanted = output.aux["high"], targets["high"]
    energy = [x.unflatten(1, (-1, 3)).square().sum(2) for x in (wanted, high)]
    texture = torch.relu(1.2 * energy[0] - energy[1]).mean()
    image, low = error(output.sr, hr), error(output.aux["low"], targets["low"])
    return 0.99 * error(high, wanted) + 0.01 * low + 0.1 * image + texture


class TestDWSR:
    def test_equals_the_description(self):
        torch.manual_seed(0)
        network = DWSR(scale=2, depth=1, width=5).double()
        lr = torch.rand(1, 1, 6, 8, dtype=torch.float64)
        bands = haar(lr)
        layers = dict(network.named_children())
        found = bands
        for name, rim in (("conv_00", 2), ("conv_01", 1)):
            layer = layers[name]
            found = F.conv2d(found, layer.weight, layer.bias, padding=rim).relu()
        found = F.conv2d(found, layers["conv_20"].weight, layers["conv_20"].bias, padding=1)
        torch.testing.assert_close(network(lr), inverse_haar(bands + found))

    def test_band_loss_is_image_loss(self):
        first, second = torch.rand(2, 1, 1, 8, 8, dtype=torch.float64)
        torch.testing.assert_close(F.mse_loss(haar(first), haar(second)), F.mse_loss(first, second))

    def test_first_weights_are_the_authors(self):
        torch.manual_seed(0)
        network = DWSR()
        assert network.conv_00.weight.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.03)
        middle = network.get_submodule("conv_05").weight
        assert middle.std().item() == pytest.approx((2 / 576) ** 0.5, rel=0.03)

    def test_names_of_tensorflow(self, tmp_path):
        source, target = DWSR(depth=2, width=4), DWSR(depth=2, width=4)
        state = {}
        for name, layer in source.named_children():
            state[f"{name}_w"] = layer.weight.permute(2, 3, 1, 0).contiguous()
            state[f"{name}_b"] = layer.bias
        torch.save(state, tmp_path / "dwsr.pth")
        load_weights(target, tmp_path / "dwsr.pth")
        lr = torch.rand(1, 1, 5, 6)
        assert torch.equal(source(lr), target(lr))

    def test_halo_is_tight(self, reach):
        network = DWSR(depth=1, width=2, same_size=True)
        assert reach(network) == network.halo == 2 * (2 + 1 + 1) + 1


class TestWaveResNet:
    def test_no_residual_keeps_the_image(self):
        for preset in ("primary", "ntire", "ntire_unknown"):
            network = WaveResNet(scale=2, preset=preset, num_blocks=1, width=4).eval()
            torch.nn.init.zeros_(network.tail.weight)
            lr = 255 * torch.rand(1, network.channels, 7, 5)
            wanted = lr
            if preset == "ntire_unknown":
                wanted = lr.repeat_interleave(2, -1).repeat_interleave(2, -2)
            torch.testing.assert_close(network(lr), wanted)

    def test_channels_are_colour_after_colour(self):
        network = WaveResNet(scale=2, preset="ntire", num_blocks=1, width=4).eval()
        seen = []
        network.head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        with torch.no_grad():
            network.tail.weight.zero_()
            network.tail.bias.copy_(torch.arange(12.0))
        lr = torch.rand(1, 3, 4, 4)
        found = network(lr)
        for colour in range(3):
            bands = haar(lr[:, colour : colour + 1])
            torch.testing.assert_close(seen[0][:, 4 * colour : 4 * colour + 4], bands)
            taken = torch.arange(4.0).reshape(1, 4, 1, 1) + 4 * colour
            torch.testing.assert_close(found[:, colour : colour + 1], inverse_haar(bands - taken))

    def test_block_adds_before_its_last_normalisation(self):
        torch.manual_seed(0)
        block = WaveResNet(num_blocks=1, width=4).eval().body[0]
        x = torch.randn(1, 4, 5, 5)
        inner = block.bn2(block.conv2(block.bn1(block.conv1(x)).relu())).relu()
        torch.testing.assert_close(block(x), block.bn3(block.conv3(inner) + x).relu())

    def test_depths(self):
        for preset, depth in (("primary", 20), ("ntire", 41)):
            network = on_meta(WaveResNet, preset=preset)
            found = sum(isinstance(m, torch.nn.Conv2d) for m in network.modules())
            assert found == depth

    def test_halo_is_tight(self, reach):
        network = WaveResNet(num_blocks=1, width=2, same_size=True).eval()
        assert reach(network) == network.halo == 2 * 5 + 1
        network = WaveResNet(scale=2, preset="ntire_unknown", num_blocks=1, width=2).eval()
        assert network.upsample == "post" and network.output_size(4, 5) == (8, 10)
        assert reach(network) == network.halo == 5

    def test_bad_settings_are_named(self):
        with pytest.raises(ConfigError, match="primary"):
            WaveResNet(preset="primery")
        with pytest.raises(ConfigError, match="num_blocks"):
            WaveResNet(num_blocks=0)


class TestWaveletSRNet:
    def test_bands_make_the_image(self):
        torch.manual_seed(0)
        network = WaveletSRNet(scale=4, widths=[6], num_blocks=1, band_width=2).eval()
        output = network(torch.rand(2, 3, 5, 4))
        assert output.sr.shape == (2, 3, 20, 16)
        found = network.targets(output.sr)
        torch.testing.assert_close(found["low"], output.aux["low"])
        torch.testing.assert_close(found["high"], output.aux["high"])
        assert output.aux["high"].shape == (2, 45, 5, 4)

    def test_targets_are_the_packet(self):
        network = WaveletSRNet(scale=8, widths=[4], num_blocks=1, band_width=1)
        hr = torch.rand(1, 3, 16, 8)
        found = network.targets(hr)
        both = torch.cat([found["low"], found["high"]], 1)
        assert torch.equal(both, haar_packet(hr, 3))
        # The coarse band is the mean, times eight.
        torch.testing.assert_close(found["low"], 8 * F.avg_pool2d(hr, 8))

    def test_every_band_has_its_head(self):
        for scale, sizes in ((2, [3, 9]), (4, [3, 9, 36]), (16, [3, 9, 36, 144, 576])):
            network = on_meta(WaveletSRNet, scale=scale)
            found = [network.get_submodule(f"predict_{i}") for i in range(len(sizes))]
            assert [m.out_channels for m in found] == sizes
            assert [3 * m.groups for m in found] == sizes
            assert network.halo == 26

    def test_halo_is_tight(self, reach):
        network = WaveletSRNet(scale=2, widths=[2, 3], num_blocks=1, band_width=1).eval()
        assert reach(network) == network.halo == 1 + 4 + 5

    def test_bad_settings_are_named(self):
        with pytest.raises(ConfigError, match="widths"):
            WaveletSRNet(widths=[])
        with pytest.raises(GeometryError, match="2, 4, 8, 16"):
            WaveletSRNet(scale=3)
