"""What every registered estimator of kernels must fulfil: registering one is enough to test it."""

from __future__ import annotations

import pytest

from realdeg.registry import ESTIMATORS
from realdeg.testing import EstimatorContract


def types() -> list[str]:
    ours = [n for n in ESTIMATORS.names() if ESTIMATORS.get(n).__module__.startswith("realdeg.")]
    assert {"KernelGAN", "PoolKernel"} <= set(ours)
    return ours


class TestEveryEstimator(EstimatorContract):
    @pytest.fixture(params=types(), autouse=True)
    def each(self, request):
        self.component = ESTIMATORS.get(request.param)
