"""The contracts of all kinds of components, as tests to run on your own components.

::

    from realdeg.testing import DegradationContract
    from my_package import MotionBlur


    class TestMotionBlur(DegradationContract):
        component = MotionBlur

pytest collects the tests from there. Only this package needs pytest:
``pip install 'realdeg[testing]'``.
"""

try:
    import pytest
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "realdeg.testing needs pytest: pip install 'realdeg[testing]'.", name="pytest"
    ) from error

# Failed assertions then show their values, as in test files.
_KINDS = (
    "backbones",
    "datasets",
    "degradations",
    "discriminators",
    "estimators",
    "losses",
    "metrics",
    "zero_shot",
)
pytest.register_assert_rewrite(*(f"realdeg.testing.{kind}" for kind in ("alignment", *_KINDS)))

from realdeg.testing.backbones import BackboneContract  # noqa: E402
from realdeg.testing.contract import Contract, ContractError  # noqa: E402
from realdeg.testing.datasets import DatasetContract, TransformContract  # noqa: E402
from realdeg.testing.degradations import ContainerContract, DegradationContract  # noqa: E402
from realdeg.testing.discriminators import DiscriminatorContract  # noqa: E402
from realdeg.testing.estimators import EstimatorContract  # noqa: E402
from realdeg.testing.losses import (  # noqa: E402
    AdversarialLossContract,
    LossContract,
    RegulariserContract,
)
from realdeg.testing.metrics import MetricContract  # noqa: E402
from realdeg.testing.zero_shot import ZeroShotContract  # noqa: E402

__all__ = [
    "AdversarialLossContract",
    "BackboneContract",
    "ContainerContract",
    "Contract",
    "ContractError",
    "DatasetContract",
    "DegradationContract",
    "DiscriminatorContract",
    "EstimatorContract",
    "LossContract",
    "MetricContract",
    "RegulariserContract",
    "TransformContract",
    "ZeroShotContract",
]
