"""KXNet: its two steps against float64 references, the whole against the authors' code."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import KXNet, load_weights
from realdeg.backbones.kxnet import auxiliary_kernels, back_projected, kernel_gradient
from realdeg.degradations import BlurDown
from realdeg.degradations.primitives.borders import pad
from realdeg.errors import ConfigError, GeometryError
from tests.backbones.judging import on_meta, parameters, shapes


def steps_input(scale, side, size=(5, 4)):
    generator = torch.Generator().manual_seed(scale)
    draw = {"generator": generator, "dtype": torch.float64}
    image = torch.rand(2, 3, scale * size[0], scale * size[1], **draw)
    lr = torch.rand(2, 3, *size, **draw)
    kernel = torch.rand(2, 1, side, side, **draw)
    return image, lr, kernel / kernel.sum((-2, -1), keepdim=True)


def blurred(image, kernel, scale):
    """Every s-th pixel of the blurred image, pixel by pixel."""
    reach = kernel.shape[-1] // 2
    wide = torch.stack([F.pad(each, (reach,) * 4, mode="reflect") for each in image])
    rows, columns = (size // scale for size in image.shape[-2:])
    found = image.new_zeros(*image.shape[:2], rows, columns)
    for i in range(rows):
        for j in range(columns):
            window = wide[..., scale * i :, scale * j :][..., : 2 * reach + 1, : 2 * reach + 1]
            found[..., i, j] = (window * kernel).sum((-2, -1))
    return found


@pytest.mark.parametrize(("scale", "side"), [(2, 5), (3, 7)])
def test_the_kernel_step_is_the_gradient_of_the_data_term(scale, side):
    image, lr, kernel = steps_input(scale, side)
    kernel.requires_grad_()
    error = (blurred(image, kernel, scale) - lr).square().flatten(1).mean(1).sum() / 2
    (wanted,) = torch.autograd.grad(error, kernel)
    reach = (side // 2, side // 2)
    found = kernel_gradient(pad(image, reach, reach, "reflect"), lr, kernel.detach(), scale)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("scale", "side"), [(2, 5), (3, 3)])
def test_the_image_step_spreads_the_error_by_the_kernel(scale, side):
    image, lr, kernel = steps_input(scale, side)
    error = blurred(image, kernel, scale) - lr
    reach = side // 2
    total, weight = torch.zeros_like(image), torch.zeros_like(image)
    for i in range(lr.shape[-2]):
        for j in range(lr.shape[-1]):
            for u in range(side):
                for v in range(side):
                    y, x = scale * i + u - reach, scale * j + v - reach
                    if 0 <= y < image.shape[-2] and 0 <= x < image.shape[-1]:
                        total[..., y, x] += kernel[..., u, v] * error[..., i, j]
                        weight[..., y, x] += kernel[..., u, v]
    wide = pad(image, (reach, reach), (reach, reach), "reflect")
    found = back_projected(wide, lr, kernel, scale)
    torch.testing.assert_close(found, total / (weight + 1e-10), rtol=1e-9, atol=1e-12)


def ramp(shape):
    """Weights that any program can make."""
    count = math.prod(shape)
    return (torch.arange(count, dtype=torch.float64).mul(0.37).sin() / 7).float().reshape(shape)


def filled(network):
    for name, parameter in network.named_parameters():
        if name not in ("kernel_map", "AV_X_ker", "gamma_stage"):
            torch.nn.init.constant_(parameter, 0).add_(ramp(parameter.shape).detach())
    return network.eval()


# Of the authors' KXNet(upscale, s_iter=2, kernel_size) with the weights of ``ramp`` and their
# auxiliary kernels, on ramp(1, 3, 9, 8) + 0.5: mean and last value of the image, sum of squares
# and corner of each kernel. BKXNet.py of jiahong-fu/KXNet, 15d61a7, on a CPU.
AUTHORS = {
    2: [0.5114734, 0.2822171, 0.03513489, 0.003142053, 0.0191022, 0.004941618],
    4: [0.5032983, 0.3253708, 0.00915222, 0.001504689, 0.002946209, 0.001935993],
}


@pytest.mark.parametrize(("scale", "side"), [(2, 11), (4, 21)])
def test_as_the_authors_code(scale, side):
    with torch.no_grad():
        network = filled(KXNet(scale=scale, stages=2, kernel_size=side))
        found = network(ramp((1, 3, 9, 8)) + 0.5)
    kernels = found.aux["estimates"][0]
    numbers = [found.sr.mean(), found.sr[0, 2, -1, -1]]
    numbers += [value for k in kernels for value in (k.square().sum(), k[0, 0])]
    assert [float(n) for n in numbers] == pytest.approx(AUTHORS[scale], rel=1e-4)


def test_published_names_and_shapes(tmp_path):
    with torch.no_grad():
        network = filled(KXNet(scale=3, stages=2, kernel_size=15, auxiliary="anisotropic"))
    found = shapes(network)
    assert {n: s for n, s in found.items() if "stage." not in n} == {
        "AV_X_ker": (32, 3, 3, 3),
        "kernel_map": (24, 15, 15),
        "gamma_stage": (2, 1),
        "eta_stage": (2, 1),
    }
    wanted = {}
    for stage in range(2):
        for letter, prefix, width in (("x", "X", 89), ("k", "K", 27)):
            for layer in [f"{n}.{i}" for n in range(1, 5) for i in (0, 2)] + ["5.0"]:
                place = f"{prefix}_stage.{stage}.{prefix}_ProNet.res{letter}{layer}"
                wanted |= {f"{place}.weight": (width, width, 3, 3), f"{place}.bias": (width,)}
    assert {n: s for n, s in found.items() if "stage." in n and "_stage." in n[1:8]} == wanted
    # The authors' files hold the auxiliary kernels twice.
    state = network.state_dict()
    torch.save({**state, "kernel_map0": state["kernel_map"]}, tmp_path / "theirs.pth")
    form = KXNet.form_of(torch.load(tmp_path / "theirs.pth", weights_only=True))
    assert form == dict(scale=3, stages=2, kernel_size=15, kernel_maps=24, image_maps=32, pairs=4)
    again = KXNet(**form)
    load_weights(again, tmp_path / "theirs.pth")
    lr = torch.rand(1, 3, 6, 7)
    with torch.no_grad():
        assert torch.equal(again.eval()(lr).sr, network(lr).sr)


@pytest.mark.parametrize(("scale", "count"), [(2, 6_505_363), (3, 13_343_653), (4, 27_571_195)])
def test_parameters(scale, count):
    assert parameters(on_meta(KXNet, scale=scale)) == count


class TestAuxiliaryKernels:
    def test_isotropic(self):
        found = auxiliary_kernels(21)
        place = torch.arange(21, dtype=torch.float64) - 10
        for sigma, kernel in zip(torch.linspace(0.2, 4, 24).tolist(), found, strict=True):
            line = torch.exp(-(place**2) / (2 * sigma**2))
            wanted = line[:, None] * line / line.sum() ** 2
            torch.testing.assert_close(kernel.double(), wanted, rtol=1e-4, atol=1e-7)

    def test_anisotropic(self):
        # The covariance of each, by its second moments; wide windows cut off little.
        found = auxiliary_kernels(63, "anisotropic").double()
        place = torch.arange(63, dtype=torch.float64) - 31
        assert len(found) == 24
        number = 0
        for first in (1.0, 2.5, 4.0):
            for second in (3.5, 5.0):
                for turn in range(4):
                    kernel, angle = found[number], turn * math.pi / 4
                    cos, sin = math.cos(angle), math.sin(angle)
                    across = (kernel * place[:, None] * place).sum()
                    assert float(across) == pytest.approx(
                        cos * sin * (first**2 - second**2), abs=1e-3
                    )
                    along = float((kernel * place.square()).sum())
                    assert along == pytest.approx(
                        (cos * first) ** 2 + (sin * second) ** 2, abs=1e-3
                    )
                    number += 1

    def test_there_are_24_anisotropic_ones(self):
        assert auxiliary_kernels(11, "anisotropic", 5).shape == (5, 11, 11)
        with pytest.raises(ConfigError, match="has 24 anisotropic auxiliary kernels"):
            KXNet(scale=2, auxiliary="anisotropic", kernel_maps=25)


class TestResult:
    def test_rounds(self):
        network = KXNet.example().eval()
        with torch.no_grad():
            made = network(torch.rand(2, 3, 6, 5))
        assert made.aux["estimates"].shape == (2, 2, 5, 5)
        assert made.aux["images"].shape == (2, 2, 3, 12, 10)
        assert torch.equal(made.aux["images"][:, -1], made.sr)
        kernels = network.kernel_of(made.aux["estimates"][:, -1])
        torch.testing.assert_close(kernels[:, 0], made.aux["estimates"][:, -1])
        assert (kernels > 0).all()

    def test_its_lr_is_that_of_its_degradation(self):
        """The error vanishes where LR was made of the image by the kernel."""
        degradation = BlurDown(2, kind="KXNet")
        hr = torch.rand(1, 3, 40, 36)
        (trace,) = degradation.sample(hr, [3])
        kernel = degradation.condition(trace)["kernel"][None, None]
        lr = degradation.replay(hr, [trace])
        wide = pad(hr, (10, 10), (10, 10), "reflect")
        assert back_projected(wide, lr, kernel, 2).abs().max() < 1e-5
        assert kernel_gradient(wide, lr, kernel, 2).abs().max() < 1e-6

    def test_no_other_scale(self):
        with pytest.raises(GeometryError, match="KXNet does not exist at scale 8: it has 2, 3, 4"):
            KXNet(scale=8)
