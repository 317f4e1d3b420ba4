"""What every registered estimator of kernels must fulfil: registering one is enough to test it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from realdeg.backbones import KXNet
from realdeg.degradations.estimation import AdaptiveKernelBasis
from realdeg.registry import ESTIMATORS
from realdeg.testing import EstimatorContract
from realdeg.utils.component import save_component


def types() -> list[str]:
    ours = [n for n in ESTIMATORS.names() if ESTIMATORS.get(n).__module__.startswith("realdeg.")]
    assert {"KernelGAN", "PoolKernel"} <= set(ours)
    return ours


def save_network(file: Path) -> str:
    """Write the file of a blind network, which NetworkKernel needs, and return its path."""
    torch.manual_seed(0)
    network = KXNet.example()
    save_component(
        file, network, kind="backbone", type="KXNet", arguments=network.arguments, meta={}
    )
    return str(file)


@pytest.fixture(scope="module")
def network_file(tmp_path_factory):
    return save_network(tmp_path_factory.mktemp("network") / "x.safetensors")


class TestEveryEstimator(EstimatorContract):
    @pytest.fixture(params=types(), autouse=True)
    def each(self, request, network_file):
        self.component = ESTIMATORS.get(request.param)
        self.arguments = {}
        if request.param == "NetworkKernel":
            self.arguments = {"backbone": network_file}
        elif request.param == "AdaptiveKernelBasis":
            file = Path(network_file).with_name("basis.safetensors")
            torch.manual_seed(0)
            AdaptiveKernelBasis.example().save(file)
            self.arguments = {**AdaptiveKernelBasis.example_arguments, "weights": str(file)}
