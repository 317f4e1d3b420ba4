"""CARN-M: the economical CARN, with grouped convolutions and shared blocks."""

from __future__ import annotations

from realdeg.backbones.carn import CARN
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


@BACKBONES.register_module()
class CARNM(CARN):
    """Cascading residual network for mobile devices.

    :class:`~realdeg.backbones.carn.CARN` with four groups in its 3x3 convolutions, residual blocks
    that end in a 1x1 convolution, and one residual block used three times inside each cascading
    block; the arguments are CARN's. 414,787 parameters, 414,811 with the mean-shift tensors; the
    paper's 412K do not count biases (412,032). At one scale 257,027, 303,427 or 294,147 (x2, x3,
    x4).

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Source:
        Ahn, Kang, Sohn, Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual
        Network, ECCV 2018, section 3.3. Keys follow nmhkahn/CARN-pytorch.
    """

    dialects = (
        Dialect(
            "CARN",
            marks=(r"b1\.b1\.body\.0\.weight",),
            lacks=(r"b1\.b1\.body\.4\.weight",),
            refused="of CARN: build CARN.",
        ),
        *CARN.dialects,
    )

    def __init__(
        self, scale: Scale = 4, features: Number = 64, groups: Number = 4, multi_scale: bool = True
    ) -> None:
        super().__init__(scale, features, groups, mobile=True, multi_scale=multi_scale)
