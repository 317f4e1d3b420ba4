"""KernelGAN's two networks: a deep linear generator, folded to its kernel, and a patch critic."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

KERNEL_SIZE = 13
_WIDTH = 64
_SIDES = (7, 5, 3, 1, 1, 1)


class LinearGenerator(nn.Module):
    """Six convolutions without activations (7, 5, 3, 1, 1, 1; 64 wide), folded to their kernel.

    A chain of linear convolutions is one convolution. Folding the chain from its single output
    costs a million products, running it over a crop a billion and a half; values and gradients
    are the same but for rounding.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = [1] + [_WIDTH] * (len(_SIDES) - 1) + [1]
        self.layers = nn.ParameterList(
            nn.Parameter(torch.empty(out, into, side, side))
            for into, out, side in zip(widths, widths[1:], _SIDES, strict=False)
        )

    def kernel(self) -> Tensor:
        """Return the correlation kernel of the whole chain, shape (13, 13)."""
        folded: Tensor = self.layers[-1]
        for weight in reversed(list(self.layers)[:-1]):
            folded = F.conv_transpose2d(folded, weight)
        return folded[0, 0]

    def forward(self, x: Tensor, stride: int) -> Tensor:
        """Shrink each channel by itself: (1, C, H, W) to (1, C, h, w), whole windows only."""
        return shrink(x, self.kernel(), stride)


class PatchCritic(nn.Module):
    """Scores each 7 x 7 patch: one 7 x 7 convolution, then 1 x 1 ones, spectrally normalised.

    Shape:
        (1, 3, H, W) to (1, 1, H - 6, W - 6) in (0, 1): how real the patch looks.
    """

    def __init__(self, hidden: int = 5) -> None:
        super().__init__()
        blocks: list[nn.Module] = [nn.Conv2d(3, _WIDTH, 7)]
        for _ in range(hidden):
            blocks += [nn.Conv2d(_WIDTH, _WIDTH, 1), nn.BatchNorm2d(_WIDTH), nn.ReLU()]
        blocks += [nn.Conv2d(_WIDTH, 1, 1), nn.Sigmoid()]
        self.layers = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Score the patches."""
        made: Tensor = self.layers(x)
        return made


def build_networks(generator: torch.Generator) -> tuple[LinearGenerator, PatchCritic]:
    """Make both networks with KernelGAN's initial values.

    Args:
        generator: Where the values come from: Xavier normal with gain 0.1; batch normalisation
            weights normal(1, 0.02).

    Returns:
        The generator and the critic.
    """
    # torch draws initial values of its own, and spectral normalisation its vectors, from the global
    # generator, which is left as it was.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(int(torch.randint(1 << 31, (), generator=generator)))
        linear, critic = LinearGenerator(), PatchCritic()
        for weight in linear.layers:
            _xavier(weight, generator)
        for index, module in enumerate(critic.layers):
            if isinstance(module, nn.Conv2d):
                _xavier(module.weight, generator)
                assert module.bias is not None
                module.bias.zero_()
                critic.layers[index] = spectral_norm(module)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.copy_(1 + 0.02 * torch.randn(_WIDTH, generator=generator))
    return linear, critic


def shrink(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Correlate each channel with a kernel at every ``stride``-th pixel, whole windows only."""
    return F.conv2d(x.transpose(0, 1), kernel[None, None], stride=stride).transpose(0, 1)


def _xavier(weight: Tensor, generator: torch.Generator) -> None:
    area = weight.shape[2] * weight.shape[3]
    deviation = 0.1 * math.sqrt(2 / (area * (weight.shape[0] + weight.shape[1])))
    weight.copy_(deviation * torch.randn(weight.shape, generator=generator))
