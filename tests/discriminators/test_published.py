"""Discriminators whose layers, keys and numbers others have published."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from realdeg.discriminators.cincgan import CinCGANDiscriminator
from realdeg.discriminators.patch_gan import PatchGANDiscriminator
from realdeg.discriminators.spectral import normalised, spectral_norm
from realdeg.discriminators.srgan import SRGANDiscriminator
from realdeg.discriminators.unet import UNetDiscriminator
from realdeg.discriminators.vgg import VGGDiscriminator
from realdeg.errors import ConfigError, DataError


class CountsOperators(TorchDispatchMode):
    """Counts what reaches the dispatcher."""

    operators = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.operators += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def same_start():
    torch.manual_seed(0)


def on_meta(cls, **settings):
    with torch.device("meta"):
        return cls(**settings)


def shapes(network):
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("cls", "settings", "count"),
    [
        (SRGANDiscriminator, {}, 23_563_649),
        (SRGANDiscriminator, {"bias": True}, 23_565_505),
        (SRGANDiscriminator, {"form": "edsr"}, 23_563_713),
        (VGGDiscriminator, {}, 14_499_401),
        (VGGDiscriminator, {"size": 256}, 21_055_049),
        (PatchGANDiscriminator, {}, 2_765_633),
        (PatchGANDiscriminator, {"norm": "spectral"}, 2_764_737),
        (UNetDiscriminator, {}, 4_376_897),
        (CinCGANDiscriminator, {}, 2_765_568),
        (CinCGANDiscriminator, {"form": "hr"}, 2_765_568),
    ],
)
def test_parameters(cls, settings, count):
    # Spectral normalisation starts with iterations that a network without memory cannot do.
    spectral = cls is UNetDiscriminator or "norm" in settings
    network = cls(**settings) if spectral else on_meta(cls, **settings)
    assert sum(p.numel() for p in network.parameters()) == count


class TestKeys:
    def test_srgan(self):
        found = shapes(on_meta(SRGANDiscriminator))
        convolutions = (0, 2, 5, 8, 11, 14, 17, 20)
        norms = (3, 6, 9, 12, 15, 18, 21)
        wanted = {f"features.{i}.weight" for i in (*convolutions, *norms)}
        wanted |= {f"features.{i}.bias" for i in (0, *norms)}
        wanted |= {f"classifier.{i}.{kind}" for i in (0, 2) for kind in ("weight", "bias")}
        assert {name for name in found if "running" not in name and "num" not in name} == wanted
        assert found["classifier.0.weight"] == (1024, 18432)
        assert found["features.20.weight"] == (512, 512, 3, 3)

    def test_edsr(self):
        found = shapes(on_meta(SRGANDiscriminator, form="edsr"))
        for index in range(8):
            assert f"features.{index}.0.bias" not in found
            assert f"features.{index}.1.running_var" in found
        assert found["features.0.0.weight"] == (64, 3, 3, 3)
        assert len(found) == 8 * 6 + 4

    def test_vgg(self):
        for size, pairs in ((128, 5), (256, 6)):
            found = shapes(on_meta(VGGDiscriminator, size=size))
            convolutions = {f"conv{k}_{i}.weight" for k in range(pairs) for i in range(2)}
            assert convolutions < set(found) and "bn0_0.weight" not in found
            assert [n for n in found if "conv" in n and "bias" in n] == ["conv0_0.bias"]
            assert found["linear1.weight"] == (100, 8192)
            assert found["linear2.weight"] == (1, 100)
            assert len(found) == 2 * pairs + 1 + 5 * (2 * pairs - 1) + 4

    def test_patch_gan(self):
        for norm, indices in (
            ("batch", {0, 2, 3, 5, 6, 8, 9, 11}),
            ("instance", {0, 2, 5, 8, 11}),
            ("none", {0, 2, 4, 6, 8}),
        ):
            found = shapes(on_meta(PatchGANDiscriminator, norm=norm))
            assert {int(name.split(".")[1]) for name in found} == indices

    def test_unet(self):
        found = shapes(UNetDiscriminator(width=4))
        wanted = {f"conv{i}.{kind}" for i in (0, 9) for kind in ("weight", "bias")}
        kinds = ("weight_orig", "weight_u", "weight_v")
        wanted |= {f"conv{i}.{kind}" for i in range(1, 9) for kind in kinds}
        assert set(found) == wanted
        assert found["conv1.weight_v"] == (4 * 16,) and found["conv1.weight_u"] == (8,)

    def test_cincgan(self):
        found = shapes(on_meta(CinCGANDiscriminator))
        assert {int(name.split(".")[1]) for name in found} == {0, 2, 3, 5, 6, 8, 9, 11}
        assert [n for n in found if n.endswith("bias")] == [f"layers.{i}.bias" for i in (3, 6, 9)]


class TestSpectralNorm:
    @pytest.mark.parametrize(
        "layer",
        [lambda: nn.Conv2d(3, 4, 3), lambda: nn.ConvTranspose2d(3, 4, 3), lambda: nn.Linear(6, 5)],
    )
    def test_is_torchs_newer_one(self, layer):
        x = torch.randn(2, 6) if isinstance(layer(), nn.Linear) else torch.randn(1, 3, 6, 6)
        results = []
        for norm in (nn.utils.parametrizations.spectral_norm, normalised):
            torch.manual_seed(1)
            results.append(norm(layer())(x))
        torch.testing.assert_close(results[1], results[0], rtol=0, atol=0)

    def test_costs_nothing_without_numbers(self):
        """Checks build discriminators on "meta" to ask for their sizes."""
        with CountsOperators() as counted, torch.device("meta"):
            spectral_norm(nn.Linear(8, 8))
        assert counted.operators < 30  # 15 iterations are some hundreds

    @pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
    def test_is_torchs_older_one(self):
        """Weights of the older function load, and ours load there; training meets in the end."""
        theirs = nn.utils.spectral_norm(nn.Conv2d(3, 4, 3))
        ours = spectral_norm(nn.Conv2d(3, 4, 3))
        ours.load_state_dict(theirs.state_dict())
        x = torch.randn(1, 3, 6, 6)
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))
        ours.train(), theirs.train()
        for _ in range(60):  # the two update their vectors in opposite order
            ours(x), theirs(x)
        torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-4)
        theirs.load_state_dict(ours.state_dict())
        torch.testing.assert_close(theirs.eval()(x), ours.eval()(x))

    def test_networks_can_be_copied_and_restored(self):
        network = UNetDiscriminator(width=2)
        x = torch.rand(1, 3, 16, 16)
        network(x).sum().backward()
        twin = UNetDiscriminator(width=2)
        twin.load_state_dict(copy.deepcopy(network).state_dict())
        assert torch.equal(twin.eval()(x), network.eval()(x))
        state = network.state_dict()
        state["conv1.weight_w"] = state.pop("conv1.weight_u")
        with pytest.raises(RuntimeError, match="conv1"):
            twin.load_state_dict(state)


class TestForms:
    def test_vgg_equals_the_description(self):
        network = VGGDiscriminator(width=3, size=16).eval()
        x = torch.rand(2, 3, 16, 16)
        state = dict(network.named_children())
        y = F.leaky_relu(state["conv0_0"](x), 0.2)
        y = F.leaky_relu(state["bn0_1"](state["conv0_1"](y)), 0.2)
        y = F.leaky_relu(state["bn1_0"](state["conv1_0"](y)), 0.2)
        y = F.leaky_relu(state["bn1_1"](state["conv1_1"](y)), 0.2)
        y = F.leaky_relu(state["linear1"](y.flatten(1)), 0.2)
        torch.testing.assert_close(network(x), state["linear2"](y))

    @pytest.mark.parametrize("skip", [True, False])
    def test_unet_equals_the_description(self, skip):
        network = UNetDiscriminator(width=2, skip=skip).eval()
        x = torch.rand(1, 3, 16, 24)

        def active(features):
            return F.leaky_relu(features, 0.2)

        def double(features):
            return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)

        x0 = active(network.conv0(x))
        x1 = active(network.conv1(x0))
        x2 = active(network.conv2(x1))
        y = active(network.conv3(x2))
        y = active(network.conv4(double(y))) + skip * x2
        y = active(network.conv5(double(y))) + skip * x1
        y = active(network.conv6(double(y))) + skip * x0
        y = network.conv9(active(network.conv8(active(network.conv7(y)))))
        found = network(x)
        assert found.shape == (1, 1, 16, 24)
        torch.testing.assert_close(found, y)

    def test_patch_gan_sees_70_pixels(self):
        network = PatchGANDiscriminator(width=2, norm="none").eval()
        x = torch.rand(1, 3, 128, 128, requires_grad=True)
        logits = network(x)
        assert logits.shape == (1, 1, 14, 14)
        logits[0, 0, 7, 7].backward()
        rows = (x.grad[0].abs().sum((0, 2)) > 0).nonzero()
        assert rows.max() - rows.min() + 1 == 70

    @pytest.mark.parametrize("norm", ["batch", "instance", "spectral", "none"])
    @pytest.mark.parametrize("padding", [1, 2])
    def test_patch_gan_at_its_least_size(self, norm, padding):
        network = PatchGANDiscriminator(width=2, norm=norm, padding=padding)
        least = network.least_size
        assert network(torch.rand(2, 3, least, least)).isfinite().all()
        if least > 1:
            with pytest.raises((RuntimeError, ValueError)):
                network.judge(torch.rand(2, 3, least - 1, least - 1))

    @pytest.mark.parametrize(("form", "least"), [("lr", 16), ("lr_x2", 28), ("hr", 70)])
    def test_cincgan_judges_by_the_mean(self, form, least):
        network = CinCGANDiscriminator(width=2, form=form).eval()
        assert network.least_size == least
        x = torch.rand(2, 3, least + 8, least + 9)
        torch.testing.assert_close(network(x), network.layers(x).mean((2, 3)))
        assert network(x[..., :least, :least]).shape == (2, 1)
        activated = CinCGANDiscriminator(width=2, form=form, last_activation=True).eval()
        activated.load_state_dict(network.state_dict())
        patches = F.leaky_relu(network.layers(x), 0.2)
        torch.testing.assert_close(activated(x), patches.mean((2, 3)))

    def test_fixed_sizes_are_named(self):
        for network in (SRGANDiscriminator(width=2, size=32), VGGDiscriminator(width=2, size=32)):
            assert network(torch.rand(2, 3, 32, 32)).shape == (2, 1)
            with pytest.raises(DataError, match="32 x 32 pixels only"):
                network(torch.rand(2, 3, 32, 48))
            with pytest.raises(DataError, match="raise patch_size"):
                network(torch.rand(2, 3, 16, 48))

    def test_bad_settings_are_named(self):
        for cls, settings, match in (
            (SRGANDiscriminator, {"size": 100}, "divisible by 16"),
            (SRGANDiscriminator, {"form": "vgg"}, "form"),
            (VGGDiscriminator, {"size": 96}, "power of two"),
            (PatchGANDiscriminator, {"norm": "layer"}, "norm"),
            (PatchGANDiscriminator, {"padding": 0}, "padding"),
            (CinCGANDiscriminator, {"form": "mr"}, "form"),
        ):
            with pytest.raises(ConfigError, match=match):
                cls(**settings)


@pytest.mark.parametrize(
    "build",
    [
        lambda: SRGANDiscriminator(width=4, size=16),
        lambda: VGGDiscriminator(width=4, size=16),
        lambda: PatchGANDiscriminator(width=4, halvings=2),
        lambda: PatchGANDiscriminator(width=4, halvings=1, norm="spectral"),
        lambda: UNetDiscriminator(width=4),
        lambda: CinCGANDiscriminator(width=4),
    ],
)
def test_learns_to_tell(build):
    """Thirty iterations part smooth images from noisy ones."""
    network = build().train()
    noise = torch.rand(8, 3, 16, 16)
    smooth = F.avg_pool2d(noise, 5, 1, 2)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(31):
        loss = F.softplus(-network(noise)).mean() + F.softplus(network(smooth)).mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.9 * losses[0]
