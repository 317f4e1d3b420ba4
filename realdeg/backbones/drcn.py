"""DRCN: one convolution applied sixteen times, every pass supervised."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Colour, Outputs
from realdeg.backbones.parts.classic import Number, Repeats, draw_he
from realdeg.backbones.readings import colour_of, elements, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


@BACKBONES.register_module()
class DRCN(Backbone):
    """Deeply-recursive network: every recursion predicts the image, learned weights average them.

    Works on the interpolated image, which is added to each prediction. 1,774,080 parameters
    without biases (the paper's way of counting), 1,775,121 with biases and the weights of the
    recursions.

    The auxiliary outputs are ``recursion_1`` to ``recursion_D``. The paper's loss,
    alpha times their mean error plus (1 - alpha) times the image's, is ``WeightedLoss`` with
    ``outputs={"sr": 1 - alpha, "recursion_*": alpha / D}``.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        recursions: Applications of the recursive convolution (the paper's D).
        width: Channels.
        colour: ``"y"`` as in the paper, or ``"rgb"``.

    Shape:
        (B, 1 or 3, H, W) -> the same.

    Source:
        Kim, Lee, Lee, Deeply-Recursive Convolutional Network for Image Super-Resolution,
        CVPR 2016. No weights were published; keys are realdeg's own.
    """

    colour: Colour = "y"
    upsample = "pre"
    same_size_form = "native"

    form_readings = {
        "recursions": elements("weights", 1),
        "width": size("embedding.0.weight"),
        "colour": colour_of("embedding.0.weight", 1),
    }

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        recursions: Repeats = 16,
        width: Number = 256,
        colour: Colour = "y",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        self.recursions = recursions
        self.embedding = nn.Sequential(
            nn.Conv2d(self.channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
        )
        self.recursion = nn.Conv2d(width, width, 3, padding=1)
        self.reconstruction = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, self.channels, 3, padding=1),
        )
        self.weights = nn.Parameter(torch.full((recursions,), 1 / recursions))
        draw_he(self)
        # Sixteen passes of a random convolution would explode or vanish; the identity does not.
        nn.init.dirac_(self.recursion.weight)

    @classmethod
    def example(cls) -> DRCN:
        """Return a network of 3 recursions, 6 wide, slightly off its initial weights."""
        network = cls(scale=2, recursions=3, width=6)
        # With the identity all recursions agree, and averaging would have no effect.
        with torch.no_grad():
            network.recursion.weight.add_(0.05 * torch.randn_like(network.recursion.weight))
        return network

    def forward(self, lr: Tensor) -> Outputs:
        """Return the average and every recursion's image (B, C, H, W) in [0, 1]."""
        features = self.embedding(lr)
        images = []
        for _ in range(self.recursions):
            features = torch.relu(self.recursion(features))
            images.append(lr + self.reconstruction(features))
        shares = self.weights / self.weights.sum()
        sr = sum(
            (share * image for share, image in zip(shares[1:], images[1:], strict=True)),
            start=shares[0] * images[0],
        )
        return Outputs(sr, {f"recursion_{i}": image for i, image in enumerate(images, start=1)})
