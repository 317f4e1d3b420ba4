"""DSRN: a recurrent network of two states, one at LR and one at HR resolution."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.parts.bicubic import bicubic_upsample
from realdeg.backbones.parts.classic import MOST, MOST_REPEATS, initialise
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


class Transition(nn.Module):
    """The transition within a state: convolution, ReLU, convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, state: Tensor) -> Tensor:
        """Run on (B, C, h, w)."""
        return self.conv2(F.relu(self.conv1(state), inplace=True))


@BACKBONES.register_module()
class DSRN(Backbone):
    """Dual-state recurrent network.

    The LR state feeds the HR state through a transposed convolution, the HR state the LR state
    through average pooling. The mean of all HR states is the residual to the bicubic image.
    Parameters at x2, x3, x4: 732,035, 813,955, 928,643. The released code supports factor 2 only;
    for 3 and 4 the kernels here are as large as the scale.

    Args:
        scale: 2, 3 or 4.
        width: Channels of the states; the first convolution has half as many.
        steps: States over time, 2 or more; the HR state exists from the second on.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Raises:
        ConfigError: If width or steps are too small.

    Source:
        Han, Chang, Liu, Yu, Witbrock, Huang, Image Super-Resolution via Dual-State Recurrent
        Networks, CVPR 2018, and WeiHan3/dsrn (TensorFlow). Keys are realdeg's own.
    """

    colour = "rgb"
    scales = (2, 3, 4)
    upsample = "iterative"
    example_arguments = {"scale": 2, "width": 4, "steps": 4}

    def __init__(
        self,
        scale: Scale = 2,
        width: Annotated[int, Interval(ge=2, le=MOST)] = 128,
        steps: Annotated[int, Interval(ge=2, le=MOST_REPEATS)] = 7,
    ) -> None:
        super().__init__(scale=scale)
        self.steps = steps
        self.in_conv0 = nn.Conv2d(3, width // 2, 3, padding=1)
        self.in_conv1 = nn.Conv2d(width // 2, width, 3, padding=1)
        self.s1s1 = Transition(width)
        self.s2s2 = Transition(width)
        self.up = nn.ConvTranspose2d(width, width, scale, stride=scale)
        self.out = nn.Conv2d(width, 3, 1)
        initialise(self, nn.init.xavier_uniform_)  # TensorFlow's default

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        low = F.relu(self.in_conv0(lr), inplace=True)
        low = F.relu(self.in_conv1(low), inplace=True)
        high: Tensor | None = None
        total: Tensor | None = None
        for step in range(1, self.steps):
            raised = self.up(low)
            if step < self.steps - 1:  # the last LR state is not used
                change = self.s1s1(low)
                if high is not None:
                    change = change + F.avg_pool2d(high, self.scale)
                low = F.relu(low + change, inplace=True)
            if high is not None:
                raised = raised + high + self.s2s2(high)
            high = F.relu(raised, inplace=True)
            total = high if total is None else total + high
        assert total is not None
        # The mean is taken in the last layer's weights, which saves a copy of HR size.
        residual = F.conv2d(total, self.out.weight / (self.steps - 1), self.out.bias)
        return bicubic_upsample(lr, self.scale) + residual
