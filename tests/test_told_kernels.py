"""Every component that is told the kernel understands it in one convention.

LR is made by a plain sum with a kernel without any symmetry, whose centroid lies on the LR pixels.
Whatever is told that kernel must do better with it than with its reflections, one of which a
component that flips kernels would prefer.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from realdeg import super_resolve
from realdeg.apis.told import Teller, Told
from realdeg.backbones import IRCNNHQS, Backbone, USRNet
from realdeg.datasets import SampleDataset
from realdeg.degradations import KernelPool
from realdeg.degradations.back_projection import BackProjection
from realdeg.degradations.estimation import dip_fkp
from realdeg.degradations.pool import Pool
from realdeg.degradations.primitives.kernels import centred
from realdeg.errors import GeometryError
from realdeg.utils.image import to_tensor, write_image
from realdeg.zero_shot import DIPFKP
from realdeg.zero_shot.reductions import reduce

SIZE = 96


class Little(nn.Module):
    """Trusts LR: small weights of the priors."""

    def forward(self, known: Tensor) -> Tensor:
        """Return the weights of USRNet's two iterations."""
        return known.new_full((len(known), 4, 1, 1), 1e-3)


class Same(nn.Module):
    """A prior that leaves images as they are."""

    def forward(self, image: Tensor, *_: Tensor) -> Tensor:
        """Return the image."""
        return image


def photo(scale: int) -> Tensor:
    hr = to_tensor(SampleDataset(split="test", scale=scale, mode="hr").load(0)["hr"])[None]
    return hr[..., 20 : 20 + SIZE, 20 : 20 + SIZE].double()


def hooked(scale: int) -> Tensor:
    """Return a kernel that equals none of its reflections and rotations."""
    kernel = torch.zeros(9, 9, dtype=torch.float64)
    kernel[1:8, 3] = torch.tensor([1.0, 2, 3, 4, 4, 3, 2], dtype=torch.float64)
    kernel[1, 4:7] = torch.tensor([4.0, 6, 8], dtype=torch.float64)
    return centred(kernel / kernel.sum(), scale)


def slow(hr: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """Return LR by plain sums; HR repeats itself."""
    side, (height, width) = len(kernel), hr.shape[-2:]
    first = math.floor((scale - side) / 2)
    small = hr.new_zeros(1, 3, height // scale, width // scale)
    rows, columns = torch.arange(height // scale), torch.arange(width // scale)
    for i in range(side):
        for j in range(side):
            y, x = ((scale * at + first + n) % hr.shape[-1] for at, n in ((rows, i), (columns, j)))
            small += kernel[i, j] * hr[:, :, y][..., x]
    return small


def inner_error(found: Tensor, wanted: Tensor, border: int = 8) -> float:
    inside = (..., slice(border, -border), slice(border, -border))
    return float((found.double() - wanted)[inside].square().mean())


def told(network: Backbone, lr: Tensor, kernel: Tensor, tmp_path) -> Tensor:
    """Run a network as ``realdeg infer --kernel`` does."""
    np.save(tmp_path / "k.npy", kernel.numpy())
    cond = Teller(network, Told(kernel=tmp_path / "k.npy")).constant
    with torch.no_grad():
        made = network(lr.float(), cond=cond)
    return made if isinstance(made, Tensor) else made.sr


def usrnet(scale: int) -> USRNet:
    torch.manual_seed(0)
    network = USRNet(**{**USRNet.example_arguments, "scale": scale, "kernel_size": 25}).eval()
    network.border, network.p, network.h = "circular", Same(), Little()
    return network


def ircnn(scale: int) -> IRCNNHQS:
    arguments = {**IRCNNHQS.example_arguments, "scale": scale, "colour": "rgb"}
    network = IRCNNHQS(**arguments).eval()
    for key in network.nets:
        network.nets[key] = Same()
    return network


def of_zero_shot_reduction(hr, lr, kernel, scale, _):
    return inner_error(reduce(hr, (SIZE // scale,) * 2, kernel), lr, 4)


def of_dip_fkp(hr, lr, kernel, scale, _):
    return inner_error(dip_fkp._reduced(hr, kernel, scale), lr, 1)


def of_a_pool(hr, lr, kernel, scale, tmp_path):
    return inner_error(pooled(kernel, scale, tmp_path)(hr.float(), seeds=[0]), lr, 4)


def of_back_projection(hr, lr, kernel, scale, tmp_path):
    correct = BackProjection(pooled(kernel, scale, tmp_path), 30, kernel="adjoint")
    begun = torch.nn.functional.interpolate(lr.float(), scale_factor=scale, mode="bicubic")
    return inner_error(correct(begun, lr.float()), hr)


def of_usrnet(hr, lr, kernel, scale, tmp_path):
    return inner_error(told(usrnet(scale), lr, kernel, tmp_path), hr)


def of_ircnn(hr, lr, kernel, scale, tmp_path):
    return inner_error(told(ircnn(scale), lr, kernel, tmp_path), hr)


def of_solver(make):
    def of_it(hr, lr, kernel, scale, _):
        method = DIPFKP(scale, solver=make(scale))
        return inner_error(method(lr.float(), cond=kernel[None, None].float()), hr)

    return of_it


def pooled(kernel: Tensor, scale: int, tmp_path) -> KernelPool:
    path = tmp_path / "pool.safetensors"
    Pool("kernels", kernel[None].float(), scale, False, {}).save(path)
    return KernelPool(pool=path, scale=scale, same_size=False)


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize(
    ("component", "exact"),
    [
        (of_zero_shot_reduction, True),
        (of_dip_fkp, True),
        (of_a_pool, True),
        (of_back_projection, False),
        (of_usrnet, False),
        (of_ircnn, False),
        (of_solver(usrnet), False),
        (of_solver(ircnn), False),
    ],
)
def test_the_kernel_is_better_than_its_mirror_image(component, exact, scale, tmp_path):
    hr, kernel = photo(scale), hooked(scale)
    lr = slow(hr, kernel, scale)
    right = component(hr, lr, kernel, scale, tmp_path)
    wrong = [kernel.flip(0, 1), kernel.flip(0), kernel.T]
    others = [component(hr, lr, centred(one, scale), scale, tmp_path) for one in wrong]
    assert right < 0.9 * min(others)
    assert not exact or right < 1e-9


def test_a_kernel_that_the_network_cannot_take_is_refused_once(tmp_path):
    """And not for each image of a folder."""
    photos = tmp_path / "photos"
    for name in ("a.png", "b.png"):
        write_image(photos / name, np.zeros((8, 8, 3), np.uint8))
    np.save(tmp_path / "flat.npy", np.full((3, 3), 1 / 9))
    network = IRCNNHQS(2, form="back_projection")
    with pytest.raises(GeometryError, match="supports bicubic and Gaussian"):
        super_resolve(
            network, photos, tmp_path / "sr", kernel=tmp_path / "flat.npy", progress=False
        )
    assert not (tmp_path / "sr").exists()
