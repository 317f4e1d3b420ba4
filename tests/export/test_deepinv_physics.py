"""A learned camera as deepinv's LinearPhysics."""

from __future__ import annotations

import pytest
import torch

from realdeg.errors import ConfigError, DataError
from realdeg.export import deepinv_physics
from realdeg.export.deepinv_physics import import_deepinv
from realdeg.ops import kernel_apply
from realdeg.registry import DEGRADATIONS


@pytest.fixture(scope="module")
def deepinv():
    try:
        return import_deepinv()
    except ConfigError as error:
        pytest.skip(str(error))


def camera(**options):
    torch.manual_seed(0)
    return DEGRADATIONS.build(
        {"type": "DML", "width": 4, "levels": 1, "num_kernels": 3, "kernel_size": 5, **options}
    )


@pytest.mark.parametrize(
    "options", [dict(scale=2), dict(scale=4, same_size=True), dict(scale=2, colour="bases")]
)
def test_it_is_the_camera_and_its_adjoint(deepinv, options):
    degradation = camera(**options).double()
    hr = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0)).double()
    physics = deepinv_physics(degradation, hr)
    assert isinstance(physics, deepinv.physics.LinearPhysics)
    with torch.no_grad():
        torch.testing.assert_close(physics(hr), degradation(hr))
    x, y = torch.randn_like(hr), torch.randn_like(physics(hr))
    left, right = (physics.A(x) * y).sum(), (x * physics.A_adjoint(y)).sum()
    torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-10)
    # deepinv's own test of the pair, which takes single images.
    single = deepinv_physics(degradation, hr[:1])
    assert abs(single.adjointness_test(hr[:1])) < 1e-8


def test_reconstruction_and_training_through_it(deepinv):
    hr = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(0)).double()
    physics = deepinv_physics(camera(scale=4, same_size=True).double(), hr, max_iter=200, tol=1e-9)
    more = hr.expand(3, -1, -1, -1).clone().requires_grad_()
    lr = physics(more)
    back = physics.A_dagger(lr.detach())
    assert (physics.A(back) - lr).norm() < 0.05 * lr.norm()
    physics.A_adjoint(lr).sum().backward()
    assert more.grad is not None


@pytest.mark.parametrize("first", [True, False])
def test_both_placements_are_those_of_space_varying_blur(deepinv, first):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 20, 18, generator=generator).double()
    weights = torch.rand(2, 3, 4, 20, 18, generator=generator).double()
    bases = torch.randn(1, 3, 4, 5, 7, generator=generator).double()
    for padding in ("reflect", "replicate", "circular"):
        blur = deepinv.physics.SpaceVaryingBlur(
            filters=bases.flip(-1, -2), multipliers=weights, padding=padding, mask_first=first
        )
        placement = "before" if first else "after"
        got = kernel_apply(x, weights, bases, 1, padding, placement)
        torch.testing.assert_close(got, blur.A(x))


def test_what_does_not_fit_is_named():
    hr = torch.rand(1, 1, 16, 16)
    bicubic = DEGRADATIONS.build({"type": "Bicubic", "scale": 2})
    with pytest.raises(ConfigError, match="Bicubic has no weights and bases"):
        deepinv_physics(bicubic, hr)
    with pytest.raises(DataError, match="R, G and B differently"):
        deepinv_physics(camera(scale=2, colour="weights"), hr)


def test_a_missing_deepinv_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "deepinv", None)
    with pytest.raises(ConfigError, match=r"pip install 'realdeg\[deepinv\]'"):
        import_deepinv()
