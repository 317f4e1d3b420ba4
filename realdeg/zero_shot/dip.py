"""The deep image prior: an image is what a network makes of noise, fitted to LR."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor

from realdeg.backbones.base import Colour
from realdeg.degradations.estimation.skip_network import SkipNetwork
from realdeg.degradations.primitives.borders import pad
from realdeg.registry import ZERO_SHOT
from realdeg.utils.argument_types import Count, NonNegative, Positive, Scale, Whole
from realdeg.utils.streams import stream_seed
from realdeg.zero_shot.base import Watch, ZeroShot
from realdeg.zero_shot.kernel_source import KernelLike, KernelSource, check_kernel_source
from realdeg.zero_shot.reductions import reduce
from realdeg.zero_shot.variance_rule import VarianceRule

_RATE = 0.01
_REDUCTIONS = ("lanczos", "bicubic")
_INPUT = 0.1  # the input is uniform in [0, 0.1]


@ZERO_SHOT.register_module()
class DIP(ZeroShot):
    """Fits an untrained network, whose input is noise, to the LR image.

    The network's structure is the only prior: it makes natural images sooner than noise. Each
    iteration adds new noise to the input, reduces the output and takes a step of Adam (rate 0.01)
    on the mean squared difference from LR.

    Without ground truth, nothing says when to stop. Here the result is an exponential average of
    the outputs, and the training ends by its variance: while the image forms, the outputs calm
    down; when the network starts to fit noise, they move again. The result is the average at the
    smallest variance, and the training ends when that is ``patience`` iterations ago
    (:class:`VarianceRule`). The published program takes its last output: ``average=0``.
    The error that ``trainings`` holds is the mean squared difference from LR.

    Args:
        scale: 1 to 64.
        kernel: How HR was reduced: ``"lanczos"`` (Lanczos, two lobes, as in the paper),
            ``"bicubic"`` (MATLAB's), or a kernel's record or file, or an estimator, as for
            :class:`~realdeg.zero_shot.ZSSR`. A call accepts another one as ``cond``.
        iterations: Largest number of iterations; None: 2000, and from scale 8 on 4000.
        jitter: Standard deviation of the noise added to the input; None: 0.03, from scale 8 on
            0.05.
        average: Weight of the previous average, 0 to below 1; 0: the last output.
        patience: Iterations without a smaller variance after which the training ends; None, or
            with ``average=0``: never.
        width: Channels of the network.
        skip: Channels of its skips.
        levels: How often it halves the image.
        inputs: Channels of the noise.
        colour: ``"rgb"`` or ``"y"``.
        seed: As for :class:`ZeroShot`.
        seconds: As for :class:`ZeroShot`.
        memory: As for :class:`ZeroShot`.

    Shape:
        (B, 1 or 3, h, w) -> (B, 1 or 3, s*h, s*w)

    Raises:
        ConfigError: If an argument is out of range.
        DataError: If a file holds no kernel.
        GeometryError: If the estimator lacks the scale.

    Source:
        Ulyanov, Vedaldi, Lempitsky, Deep Image Prior, CVPR 2018; DmitryUlyanov/deep-image-prior,
        models/downsampler.py at commit 73128db. The rule: Wang et al., Early Stopping for Deep
        Image Prior, TMLR 2023, with the exponential variance (ES-EMV).
    """

    colour: Colour = "rgb"
    example_arguments = {
        "scale": 2,
        "iterations": 3,
        "width": 4,
        "skip": 2,
        "levels": 2,
        "inputs": 3,
    }

    def __init__(
        self,
        scale: Scale = 4,
        kernel: KernelLike = "lanczos",
        iterations: Count | None = None,
        jitter: NonNegative | None = None,
        average: Annotated[float, Interval(ge=0, lt=1)] = 0.99,
        patience: Count | None = 500,
        width: Count = 128,
        skip: Count = 4,
        levels: Annotated[int, Interval(ge=1, le=8)] = 5,
        inputs: Count = 32,
        colour: Colour | None = None,
        seed: Whole = 0,
        seconds: Positive | None = None,
        memory: Positive | None = None,
    ) -> None:
        super().__init__(scale, colour, seed, seconds, memory)
        strong = scale >= 8
        self.iterations = (4000 if strong else 2000) if iterations is None else iterations
        self.jitter = (0.05 if strong else 0.03) if jitter is None else jitter
        # The last output alone has no variance.
        self.average, self.patience = average, patience if average else None
        self.width, self.skip, self.levels, self.inputs = width, skip, levels, inputs
        self.bicubic = kernel == "bicubic"
        stated = None if kernel in _REDUCTIONS else kernel
        self.source = KernelSource(stated, scale, "DIP", seed=seed)
        # The deepest convolutions need two pixels to mirror the border, and statistics to
        # normalise by.
        self.smallest = max(math.ceil(2 ** (levels + 1) / scale), self.source.smallest)

    @classmethod
    def check_config(cls, config: Mapping[str, Any], place: str) -> None:
        """Refuse an unknown estimator, or one that lacks the scale, before anything is built."""
        if config.get("kernel") not in _REDUCTIONS:
            check_kernel_source(config.get("kernel"), config.get("scale"), f"{place}.kernel")

    @property
    def most_iterations(self) -> int:
        """The largest number of iterations for one image."""
        return self.iterations

    def bytes_needed(self, height: int, width: int) -> int:
        """Return an estimate: the activations that one training step keeps."""
        enlarged = height * width * self.scale**2
        # At full size: the decoder's 13 arrays of that width; the encoder, all other levels and
        # the buffers of convolutions double that.
        return 8 * enlarged * (13 * self.width + 3 * self.inputs)

    def enlarge(self, image: Tensor, kernel: Tensor | None, watch: Watch) -> Tensor:
        """Fit the network to (1, C, h, w) and return (1, C, H, W) in [0, 1]."""
        rng = torch.Generator().manual_seed(stream_seed(self.seed, "dip") % (1 << 62))
        # torch draws the initial values of layers from the global random generator.
        torch.manual_seed(int(torch.randint(1 << 31, (), generator=rng)))
        network = SkipNetwork(self.inputs, self.channels, self.width, self.skip, self.levels)
        network = network.to(image)
        size = int(image.shape[-2]) * self.scale, int(image.shape[-1]) * self.scale
        start = torch.rand(1, self.inputs, *size, generator=rng).mul(_INPUT)
        kernel = self.source.kernel_of(image, kernel)
        watch.start()
        optimiser = torch.optim.Adam(network.parameters(), lr=_RATE)
        rule = VarianceRule(self.average, self.patience)
        for _ in range(self.iterations):
            drawn = self.jitter * torch.randn(start.shape, generator=rng)
            made = network((start + drawn).to(image))
            error = F.mse_loss(self._reduced(made, image, kernel), image)
            optimiser.zero_grad()
            error.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            rule.add(made.detach(), float(error.detach()))
            watch.count()
            if rule.finished:
                watch.training.ended = "converged"
                break
            if watch.late():
                break
        watch.training.error = rule.error
        return rule.result

    def _reduced(self, made: Tensor, like: Tensor, kernel: Tensor | None) -> Tensor:
        size = int(like.shape[-2]), int(like.shape[-1])
        if kernel is not None or self.bicubic:
            return reduce(made, size, kernel)
        return lanczos_reduce(made, self.scale)


def lanczos_reduce(image: Tensor, scale: int) -> Tensor:
    """Reduce an image by Lanczos' kernel with two lobes, borders replicated.

    The kernel has 4 s taps on an axis for even scales s, and 4 s + 1 for odd ones, around the
    middle of each block.

    Args:
        image: (B, C, s h, s w).
        scale: The whole scale s.

    Returns:
        (B, C, h, w), not clipped.
    """
    if scale == 1:
        return image
    side = 4 * scale + scale % 2
    place = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2) / scale
    taps = torch.sinc(place) * torch.sinc(place / 2)
    weight = torch.outer(taps, taps)
    weight = (weight / weight.sum()).to(image).expand(image.shape[1], 1, -1, -1)
    edge = (side - scale) // 2
    padded = pad(image, (edge, edge), (edge, edge), "replicate")
    return F.conv2d(padded, weight, stride=scale, groups=int(image.shape[1]))
