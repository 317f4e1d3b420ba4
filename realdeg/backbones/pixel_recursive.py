"""Pixel recursive super-resolution: an image drawn pixel by pixel from a learned distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone, Outputs
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.pixelcnn import COLOURS, LEVELS, GatedPrior, RowSampler
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, NonNegative, Scale

SAMPLING = ("draw", "mean", "one_pass")


class NormalisedBlock(nn.Module):
    """Convolution, batch norm, ReLU, convolution, batch norm, and the input added."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(features)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(features)

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, features, h, w)."""
        hidden = torch.relu_(self.bn1(self.conv1(features)))
        return self.bn2(self.conv2(hidden)).add(features)


class ConditioningNet(nn.Module):
    """Logits of every HR pixel's colours from the LR image alone.

    Args:
        features: Channels.
        num_blocks: Residual blocks on each of the three grids.

    Shape:
        (B, 3, h, w) in [-0.5, 0.5] -> (B, 256, 3, 4 h, 4 w)
    """

    def __init__(self, features: int, num_blocks: int) -> None:
        super().__init__()

        def blocks() -> nn.Sequential:
            return nn.Sequential(*(NormalisedBlock(features) for _ in range(num_blocks)))

        self.conv_in = nn.Conv2d(COLOURS, features, 1)
        self.res0, self.res1, self.res2 = blocks(), blocks(), blocks()
        self.deconv0 = nn.ConvTranspose2d(features, features, 3, stride=2)
        self.deconv1 = nn.ConvTranspose2d(features, features, 3, stride=2)
        self.conv_out = nn.Conv2d(features, LEVELS * COLOURS, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Run on a batch."""
        features = self.res0(self.conv_in(image))
        # TensorFlow's "same" deconvolution leaves the last row and column out.
        features = self.res1(torch.relu(self.deconv0(features)[..., :-1, :-1]))
        features = self.res2(torch.relu(self.deconv1(features)[..., :-1, :-1]))
        return self.conv_out(features).unflatten(1, (COLOURS, LEVELS)).transpose(1, 2)


@BACKBONES.register_module()
class PixelRecursiveSR(Backbone):
    """Draws a x4 image level by level: pixels in raster order, and each as R, G, B.

    The distribution of a colour is the softmax of two sums: what the conditioning network makes
    of the LR image, and what the prior makes of the pixels drawn so far. It was made for 8 x 8
    faces and bedrooms that become 32 x 32. It invents detail and does not aim at PSNR.

    **Training** goes through all pixels at once, given the true ones: ``forward`` takes the HR
    image as ``cond`` (``teacher_forced``). ``aux`` then holds ``logits`` and
    ``conditioning_logits``, (B, 256, 3, H, W), which cross entropy compares with the levels of HR
    (``targets``); ``sr`` is the mean of the distribution. **In evaluation** ``forward`` samples.
    All images of a batch are drawn with the same random numbers, so a result does not depend on
    its batch; :meth:`sample` takes a seed for each. ``torch.export`` cannot trace sampling:
    export ``sampling="one_pass"``.

    It has 6,576,192 parameters: 6,196,992 in the prior, 379,200 in the conditioning network.

    Args:
        scale: 4.
        layers: Gated layers of the prior.
        features: Channels of each of its two streams.
        hidden: Channels of its second-last layer.
        cond_features: Channels of the conditioning network.
        cond_blocks: Its residual blocks on each of the three grids.
        colour_order: G sees R, and B both (the paper). False: a pixel's colours are drawn
            independently of each other, as in the best-known public code (nilboy).
        sampling: ``"draw"`` (the paper); ``"mean"``: each level is the mean of its distribution,
            rounded down (as in that code); ``"one_pass"``: no recursion but one pass in which
            the prior sees the conditioning network's mean instead of the pixels, which is fast
            and differentiable, but blurs.
        temperature: 1 draws from the softmax; below 1 sharpens (the paper's samples: 1 / 1.1 to
            1 / 1.3); 0 always takes the most likely level.
        seed: The seed of the random numbers in ``forward``.

    Shape:
        (B, 3, h, w) -> (B, 3, 4 h, 4 w)

    Source:
        Dahl, Norouzi, Shlens, Pixel Recursive Super Resolution, ICCV 2017. There is no official
        code; keys are ours.
    """

    scales = (4,)
    whole_image = True
    teacher_forced = True
    example_arguments = {
        "layers": 2,
        "features": 6,
        "hidden": 9,
        "cond_features": 6,
        "cond_blocks": 1,
        "sampling": "one_pass",
    }

    def __init__(
        self,
        scale: Scale = 4,
        layers: Number = 20,
        features: Number = 64,
        hidden: Number = 1024,
        cond_features: Number = 32,
        cond_blocks: Number = 6,
        colour_order: bool = True,
        sampling: Annotated[str, Choice(*SAMPLING)] = "draw",
        temperature: NonNegative = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(scale=scale)
        self.sampling, self.temperature, self.seed = sampling, temperature, int(seed)
        self.draws = sampling == "draw" and temperature > 0
        self.prior = GatedPrior(layers, features, hidden, colour_order)
        self.cond = ConditioningNet(cond_features, cond_blocks)
        # Nearby pixels only: what was drawn before affects the whole image.
        self.halo = math.ceil(3.5 * cond_blocks) + 2 + math.ceil((3 + 2 * layers) / 4)
        self._initialise()

    def forward(self, lr: Tensor, *, cond: Tensor | None = None) -> Outputs:
        """Draw the image or, given HR as ``cond``, return the distribution of its levels.

        Args:
            lr: (B, 3, h, w) in [0, 1].
            cond: The HR image (B, 3, 4 h, 4 w) in [0, 1]; if None in training, the conditioning
                network's mean takes its place.
        """
        if cond is None and not self.training and self.sampling != "one_pass":
            return Outputs(self.sample(lr))
        conditioning = self.cond(lr - 0.5)
        known = _mean(conditioning) if cond is None else cond
        logits = self.prior(known - 0.5) + conditioning
        aux = {"logits": logits, "conditioning_logits": conditioning}
        return Outputs(_mean(logits), aux)

    def targets(self, hr: Tensor) -> dict[str, Tensor]:
        """Return the levels 0 to 255 of the HR image, (B, 3, H, W)."""
        levels = hr.mul(LEVELS - 1).round_().clamp_(0, LEVELS - 1).long()
        return {"logits": levels, "conditioning_logits": levels}

    @torch.no_grad()
    def sample(
        self,
        lr: Tensor,
        *,
        seeds: Sequence[int] | None = None,
        temperature: float | None = None,
    ) -> Tensor:
        """Draw images pixel by pixel; the same seed draws the same image.

        Args:
            lr: (B, 3, h, w) in [0, 1].
            seeds: One for each image; None: the network's for all.
            temperature: See the class; None: the network's.

        Returns:
            (B, 3, 4 h, 4 w), levels / 255.

        Raises:
            ConfigError: If there is not one seed per image, or the temperature is negative.
        """
        self.check_input(lr)
        heat = self.temperature if temperature is None else temperature
        _check_temperature(heat)
        given = [self.seed] * lr.shape[0] if seeds is None else list(seeds)
        if len(given) != lr.shape[0]:
            raise ConfigError(f"{len(given)} seeds were given for {lr.shape[0]} images.")
        conditioning = self.cond(lr - 0.5)
        height, width = conditioning.shape[-2:]
        result = lr.new_empty(lr.shape[0], COLOURS, height, width)
        chances = _chances(given, height, width).to(lr.device)
        recursion = RowSampler(self.prior, conditioning, width)
        # Colours that do not see each other are drawn together.
        turns = ((0,), (1,), (2,)) if self.prior.colour_order else ((0, 1, 2),)
        for row in range(height):
            recursion.begin_row()
            for column in range(width):
                for colours in turns:
                    logits = recursion.logits(column) + conditioning[..., row, column]
                    chosen = logits[..., list(colours)].transpose(1, 2)
                    chance = chances[:, row, column, list(colours)]
                    levels = self._choose(chosen, chance, heat)
                    value = levels.to(result.dtype) / (LEVELS - 1)
                    recursion.put(column, colours, value - 0.5)
                    result[:, list(colours), row, column] = value
            recursion.end_row()
        return result

    def _choose(self, logits: Tensor, chance: Tensor, heat: float) -> Tensor:
        """Turn (B, colours, 256) logits into levels (B, colours)."""
        if heat == 0:
            return logits.argmax(-1)
        odds = torch.softmax(logits.double() / heat, -1)
        if self.sampling == "mean":
            # The slack keeps a mean of exactly 7 from becoming 6.
            return (odds @ torch.arange(LEVELS, device=odds.device).double() + 1e-9).floor_()
        return (odds.cumsum(-1) < chance[..., None]).sum(-1).clamp_(max=LEVELS - 1)

    def _initialise(self) -> None:
        """Draw weights from a truncated normal of deviation 0.1; biases start at zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.trunc_normal_(module.weight, std=0.1, a=-0.2, b=0.2)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


def _mean(logits: Tensor) -> Tensor:
    """Return the mean of (B, 256, 3, H, W) distributions over levels, in [0, 1]."""
    levels = torch.linspace(0, 1, LEVELS, device=logits.device, dtype=logits.dtype)
    return torch.einsum("blchw,l->bchw", torch.softmax(logits, 1), levels.to(logits))


def _chances(seeds: Sequence[int], height: int, width: int) -> Tensor:
    """Return uniform numbers (B, H, W, 3), each image's a function of its seed and size alone."""
    size = (height, width, COLOURS)
    drawn = {
        seed: torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in set(map(int, seeds))
    }
    if not seeds:
        return torch.empty(0, *size, dtype=torch.float64)
    return torch.stack([drawn[int(seed)] for seed in seeds])


def _check_temperature(value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ConfigError(f"PixelRecursiveSR: temperature is {value!r}; it must be 0 or more.")
