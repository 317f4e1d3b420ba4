"""A kernel for each pixel from the image alone: the network, its files and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from realdeg.degradations.estimation import (
    AdaptiveKernelBasis,
    KernelField,
    estimator_from_config,
)
from realdeg.degradations.estimation.two_heads import TwoHeads
from realdeg.degradations.primitives.kernels import centroid, gaussian_kernel
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.testing.estimators import textured

TINY = dict(AdaptiveKernelBasis.example_arguments)


def some(**changes) -> AdaptiveKernelBasis:
    torch.manual_seed(4)
    return AdaptiveKernelBasis(**TINY | changes)


def reference(state, image, kernel_outs):
    """The network by functions alone, in float64, for three levels."""
    state = {name: value.double() for name, value in state.items()}

    def conv(x, name, padding=1):
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding)

    def lrelu(x):
        return torch.where(x > 0, x, 0.01 * x)

    def up(x, skip, name):
        x = F.conv_transpose2d(x, state[f"{name}.up.weight"], state[f"{name}.up.bias"], stride=2)
        for part in (0, 2):
            x = lrelu(conv(x, f"{name}.double_conv.{part}"))
        down, right = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
        padded = torch.zeros(*x.shape[:2], *skip.shape[2:], dtype=x.dtype)
        top, left = down // 2, right // 2
        padded[..., top : top + x.shape[2], left : left + x.shape[3]] = x
        return lrelu(conv(torch.cat([skip, padded], 1), f"{name}.feat.0"))

    def head(x, name):
        return conv(lrelu(conv(lrelu(conv(x, f"{name}.0")), f"{name}.2")), f"{name}.4")

    x = lrelu(conv(image.double(), "inc_rgb.0" if image.shape[1] == 3 else "inc_gray.0"))
    skips = []
    for level in (1, 2, 3):
        for part in (0, 2):
            x = lrelu(conv(x, f"down{level}.double_conv.{part}"))
        skips.append(x)
        height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
        quads = [x[..., i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)]
        x = torch.stack(quads).amax(0)
    x = lrelu(conv(x, "feat.0"))
    field, kernels = x, x.mean((2, 3), keepdim=True)
    for step, skip in enumerate(reversed(skips), 1):
        field = up(field, skip, f"up{step}")
        mean = skip.mean((2, 3), keepdim=True).repeat(1, 1, 2**step, 2**step)
        kernels = up(kernels, mean, f"kernel_up{step}")
        assert kernels.shape[1] == kernel_outs[step - 1]
    taps = head(kernels, "kernels_end").exp()
    shares = head(field, "masks_end").exp()
    return taps / taps.sum((2, 3), keepdim=True), shares / shares.sum(1, keepdim=True)


def test_a_grid_is_made_of_the_means_of_regions():
    draws = torch.Generator().manual_seed(0)
    weights = torch.rand(2, 6, 9, generator=draws, dtype=torch.float64)
    field = KernelField(torch.rand(2, 3, 3, generator=draws, dtype=torch.float64), weights)
    found = field.grid(2, 3)
    for row in range(2):
        for column in range(3):
            points = [(3 * row + y, 3 * column + x) for y in range(3) for x in range(3)]
            torch.testing.assert_close(found[row, column], field.at(points).mean(0))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_network_is_the_papers(channels):
    torch.manual_seed(1)
    network = TwoHeads(3, 9, 2)
    image = torch.rand(2, channels, 13, 22) - 0.5
    with torch.no_grad():
        found = network(image)
    wanted = reference(network.state_dict(), image, (8, 4, 2))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("size", "levels"), [(9, 3), (17, 4), (33, 5), (65, 5)])
def test_sizes(size, levels):
    network = TwoHeads(2, size, 1)
    with torch.no_grad():
        basis, weights = network(torch.rand(1, 3, 40, 35))
    assert basis.shape == (1, 2, size, size) and weights.shape == (1, 2, 40, 35)
    assert network.levels == levels and hasattr(network, "kernel_up6") == (size == 65)


def test_numbers_and_names_of_the_published_network():
    with torch.device("meta"):
        state = TwoHeads(25, 33, 64).state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == 79_829_298
    shapes = {
        "inc_rgb.0.weight": (64, 3, 3, 3),
        "inc_gray.0.weight": (64, 1, 3, 3),
        "down5.double_conv.0.weight": (1024, 512, 3, 3),
        "up1.up.weight": (1024, 1024, 2, 2),
        "up1.feat.0.weight": (512, 1536, 3, 3),
        "kernel_up3.double_conv.2.weight": (256, 256, 3, 3),
        "kernel_up4.up.weight": (256, 256, 2, 2),
        "kernel_up5.feat.0.weight": (64, 128, 3, 3),
        "kernels_end.0.weight": (64, 64, 2, 2),
        "masks_end.4.weight": (25, 64, 3, 3),
    }
    assert {name: tuple(state[name].shape) for name in shapes} == shapes


class TestEstimates:
    def test_the_input_is_linear_and_shifted(self):
        estimator, image = some(gamma=2.2), torch.rand(1, 3, 12, 12)
        with torch.no_grad():
            found = estimator(image)
            wanted = estimator.network(image**2.2 - 0.5)
        assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))

    def test_the_field_is_centred_as_one(self):
        estimator = some().mark_trained()
        image = textured(estimator)
        found = estimator.estimate(image, 2)
        torch.testing.assert_close(found.kernel, found.field.mean())
        assert centroid(found.kernel) == pytest.approx((0.5, 0.5), abs=0.06)
        each = found.field.at([(0, 0), (5, 7)])
        torch.testing.assert_close(each.sum((1, 2)), torch.ones(2, dtype=torch.float64))

    def test_shifting_moves_all_kernels_alike(self):
        basis = torch.stack([gaussian_kernel(9, 1.0, centre=(1.0, 0.0)), gaussian_kernel(9, 1.2)])
        weights = torch.stack([torch.full((3, 4), 0.25), torch.full((3, 4), 0.75)])
        field = KernelField(basis, weights)
        moved = field.centred(1)
        assert centroid(moved.mean()) == pytest.approx((0, 0), abs=1e-6)
        (first, _), (second, _) = (centroid(one) for one in moved.basis)
        assert first - second == pytest.approx(1.0, abs=0.01)


class TestFiles:
    def test_its_own(self, tmp_path):
        file = tmp_path / "estimator.safetensors"
        own = some(gamma=1.0).mark_trained()
        own.save(file, {"note": "x"})
        image = textured(own)
        wanted = own.estimate(image, 2)
        settings = TINY | {"gamma": 1.0}
        kinds = (file, str(file), {"checkpoint": file})
        given = {"type": "AdaptiveKernelBasis", **settings, "weights": str(file)}
        for cfg in (*kinds, given):
            again = estimator_from_config(cfg)
            found = again.estimate(image, 2)
            assert torch.equal(found.kernel, wanted.kernel)
            assert torch.equal(found.field.weights, wanted.field.weights)
        again.save(tmp_path / "again.safetensors")  # names no other file
        assert estimator_from_config(tmp_path / "again.safetensors").is_trained

    def test_the_authors(self, tmp_path):
        own = some()
        torch.save(own.network.state_dict(), tmp_path / "TwoHeads.pkl")
        again = AdaptiveKernelBasis(**TINY, weights=tmp_path / "TwoHeads.pkl")
        image = textured(own)
        assert torch.equal(
            again.estimate(image, 2).kernel, own.mark_trained().estimate(image, 2).kernel
        )
        with pytest.raises(CheckpointError, match="of another architecture"):
            AdaptiveKernelBasis(**TINY | {"basis": 4}, weights=tmp_path / "TwoHeads.pkl")

    def test_of_another_kind(self, tmp_path):
        file = tmp_path / "x.safetensors"
        some().save(file)
        with pytest.raises(CheckpointError, match="was trained with scale=2"):
            AdaptiveKernelBasis(**TINY | {"scale": 3}, weights=file)
        with pytest.raises(CheckpointError, match="none.safetensors"):
            estimator_from_config(str(tmp_path / "none.safetensors"))
        from realdeg import create_degradation

        create_degradation("GlobalKernel", scale=2, same_size=False).save(file)
        with pytest.raises(CheckpointError, match="holds a degradation .*, wanted an estimator"):
            estimator_from_config(str(file))


class TestRefused:
    def test_without_weights(self):
        with pytest.raises(ConfigError, match="has no weights: .* weights='FILE'"):
            some().estimate(torch.rand(1, 3, 20, 20), 2)

    @pytest.mark.parametrize("size", [8, 16, 11])
    def test_sizes_it_lacks(self, size):
        with pytest.raises(ConfigError, match=f"size.*{size}"):
            some(size=size)

    def test_small_images_and_other_scales(self):
        estimator = some().mark_trained()
        with pytest.raises(GeometryError, match="9 x 9 pixels or more, got 8 x 20"):
            estimator.estimate(torch.rand(1, 3, 8, 20), 2)
        with pytest.raises(GeometryError, match="of scale 2, asked for is scale 3"):
            estimator.estimate(torch.rand(1, 3, 20, 20), 3)
        with pytest.raises(GeometryError, match="LR on the HR grid"):
            some(same_size=True).mark_trained().estimate(torch.rand(1, 3, 20, 20), 2)
