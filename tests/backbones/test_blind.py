"""What every network that estimates the kernel promises, and DAN."""

from __future__ import annotations

import pytest
import torch

from realdeg.backbones import BlindBackbone, DANv1, DANv2, load_weights
from realdeg.backbones.blind import as_kernel
from realdeg.degradations import BlurDown
from realdeg.degradations.primitives.kernel_code import gaussian_pca
from realdeg.degradations.primitives.kernels import delta_kernel, gaussian_kernel
from realdeg.errors import ConfigError, GeometryError
from realdeg.registry import BACKBONES
from tests.backbones.judging import on_meta, parameters
from tests.backbones.test_kxnet import ramp


def types() -> list[str]:
    return [n for n in BACKBONES.names() if issubclass(BACKBONES.require(n), BlindBackbone)]


@pytest.fixture(params=types())
def network(request) -> BlindBackbone:
    torch.manual_seed(0)
    return BACKBONES.require(request.param).example().eval()


class TestEveryBlindNetwork:
    def test_estimates_become_kernels(self, network):
        lr = torch.rand(2, 3, 9, 8)
        with torch.no_grad():
            made = network(lr)
        estimates = made.aux["estimates"]
        assert estimates.shape[:2] == (2, network.rounds)
        for estimate in estimates.unbind(1):
            kernels = network.kernel_of(estimate)
            assert kernels.shape == (2, 1, network.kernel_size, network.kernel_size)
            assert (kernels >= 0).all()
            torch.testing.assert_close(kernels.sum((-2, -1)), torch.ones(2, 1))
        if "images" in made.aux:
            assert torch.equal(made.aux["images"][:, -1], made.sr)
            hr = network.targets(made.sr)["images"]
            assert hr.shape == made.aux["images"].shape and torch.equal(hr[:, 0], made.sr)

    def test_the_target_is_of_the_estimate_s_shape(self, network):
        side = network.kernel_size
        kernel = gaussian_kernel(side, 0.8).float()
        target = network.target_of({"kernel": kernel, "noise_level": 0.1})
        with torch.no_grad():
            estimates = network(torch.rand(1, 3, 6, 6)).aux["estimates"]
        assert target.shape == estimates.shape[2:]
        found = network.kernel_of(target[None])[0, 0]
        # The examples' codes are too short for more.
        assert (found - kernel).norm() < 0.5 * kernel.norm()
        moved = network.target_of({"kernel": gaussian_kernel(side, 1.6).float()})
        assert not torch.allclose(moved, target)

    def test_bad_kernels(self, network):
        name, side = type(network).__name__, network.kernel_size
        for conditions in ({}, {"noise_level": 0.1}, {"kernel": torch.rand(2, 3, 3)}):
            with pytest.raises(ConfigError, match=f"{name} learns the blur kernel"):
                network.target_of(conditions)
        with pytest.raises(
            GeometryError,
            match=rf"draws kernels of 9 x 9, and {name} estimates kernels of {side} x {side}: set"
            r" backbone\.kernel_size=9",
        ):
            network.target_of({"kernel": torch.ones(9, 9) / 81})


def test_weights_become_a_kernel():
    found = as_kernel(torch.tensor([[[-1.0, 1.0], [2.0, 1.0]]]))
    assert found.tolist() == [[[[0.0, 0.25], [0.5, 0.25]]]]
    assert as_kernel(torch.zeros(1, 3, 3)).isfinite().all()


class TestBasis:
    def test_it_holds_the_directions_of_most_variance(self):
        """Against the decomposition of the definition, of fewer kernels of the same family."""
        basis, mean = gaussian_pca(9, 3)
        torch.testing.assert_close(basis @ basis.T, torch.eye(3, dtype=torch.float64))
        widths = torch.linspace(0.2, 4.0, 4001, dtype=torch.float64)
        kernels = torch.stack([gaussian_kernel(9, float(w)).flatten() for w in widths])
        assert (kernels.mean(0) - mean).abs().max() < 3e-3
        _, _, wanted = torch.linalg.svd(kernels - kernels.mean(0), full_matrices=False)
        cosines = (basis * wanted[:3]).sum(1).abs()
        assert (cosines > 0.999).all()

    def test_ten_numbers_hold_a_gaussian(self):
        network = DANv1(scale=2, num_features=4, num_blocks=1, estimator_blocks=1)
        for width in (0.3, 1.0, 2.2, 3.9):
            kernel = gaussian_kernel(21, width).float()
            code = network.target_of({"kernel": kernel})
            assert (network.kernel_of(code[None])[0, 0] - kernel).norm() < 2e-3 * kernel.norm()

    def test_anisotropic(self):
        network = DANv2(
            scale=2,
            **{"num_features": 4, "num_blocks": 1, "num_groups": 1, "estimator_blocks": 1},
            kernel_size=11,
            kernels="anisotropic",
        )
        (trace,) = BlurDown(2, kind="DAN-2").sample(torch.rand(1, 3, 8, 8), [1])
        kernel = network.told_kernel(BlurDown(2, kind="DAN-2").condition(trace))
        found = network.decode(network.encode(kernel[None]))[0, 0]
        assert (found - kernel).norm() < 0.2 * kernel.norm()
        isotropic = gaussian_pca(11, 10)[0].float() @ kernel.flatten()
        assert not torch.allclose(network.encode(kernel[None])[0], isotropic, atol=1e-3)

    def test_it_starts_from_no_blur(self):
        network = DANv1.example()
        code = network.encode(delta_kernel(5).float()[None])
        torch.testing.assert_close(network.init_ker_map, code)

    def test_a_code_longer_than_a_kernel(self):
        with pytest.raises(ConfigError, match="code_length of DANv1 is 10, and kernels of 3 x 3"):
            DANv1(kernel_size=3)


# Of the authors' DAN(nb=1, loop=2, kernel_size=5; v2: ng=2, input_para=3) with the weights of
# ``ramp`` in place of their own, the basis too, on ramp(1, 3, 9, 8) + 0.5: mean and last value of
# the image, first and last of the last estimate. dan_arch.py of greatlog/DAN, 4c4de00, on a CPU.
AUTHORS = {
    (DANv1, 2): [0.01265355, 0.1098569, 0.1941106, -0.2316944],
    (DANv1, 3): [1.770769, -1.975633, 0.6131988, -0.5748211],
    (DANv1, 4): [-0.00369836, 0.1107364, 0.1883108, -0.226422],
    (DANv2, 2): [-0.1538383, 0.1038398, 0.04907489, 0.02378906],
    (DANv2, 3): [1.830771, -1.968235, 0.0421836, 0.02409046],
    (DANv2, 4): [-0.1526426, 0.1090826, 0.04590041, 0.02361413],
}


@pytest.mark.parametrize("version", [DANv1, DANv2])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_as_the_authors_code(version, scale, tmp_path):
    # The code of DANv1 is written down as 10 numbers.
    own = {"code_length": 10} if version is DANv1 else {"code_length": 3, "num_groups": 2}
    network = version(scale=scale, num_blocks=1, rounds=2, kernel_size=5, **own)
    state = {
        name: ramp(value.shape)
        for name, value in network.state_dict().items()
        if name != "mean_kernel"
    }
    torch.save(state, tmp_path / "theirs.pth")
    wanted = {"scale": scale, "num_features": 64, "num_blocks": 1, "kernel_size": 5} | own
    wanted |= {"estimator_features": 32, "estimator_blocks": 5}
    assert version.form_of(state) == wanted
    load_weights(network.eval(), tmp_path / "theirs.pth")
    with torch.no_grad():
        found = network(ramp((1, 3, 9, 8)) + 0.5)
    last = found.aux["estimates"][0, -1]
    numbers = [found.sr.mean(), found.sr[0, 2, -1, -1], last.flatten()[0], last.flatten()[-1]]
    assert [float(n) for n in numbers] == pytest.approx(AUTHORS[version, scale], rel=1e-3)


@pytest.mark.parametrize(
    ("version", "counts"),
    [(DANv1, (4_181_799, 4_366_439, 4_329_511)), (DANv2, (4_540_028, 4_733_116, 4_707_708))],
)
def test_parameters(version, counts):
    assert tuple(parameters(on_meta(version, scale=s)) for s in (2, 3, 4)) == counts
