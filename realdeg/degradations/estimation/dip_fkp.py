"""DIP-FKP: the deep image prior and a flow of kernels, fitted to one image together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor

from realdeg.degradations.base import DegradationLike
from realdeg.degradations.estimation.base import KernelEstimate, KernelEstimator, Progress
from realdeg.degradations.estimation.flow_search import (
    CodeSearch,
    check_flow,
    flow_for,
    flow_notes,
)
from realdeg.degradations.estimation.skip_network import SkipNetwork
from realdeg.degradations.flow_kernel import FlowKernel
from realdeg.degradations.primitives.borders import pad
from realdeg.degradations.primitives.kernels import centred
from realdeg.registry import ESTIMATORS
from realdeg.utils.argument_types import Count, Whole
from realdeg.utils.precision import full_precision
from realdeg.utils.streams import stream_seed
from realdeg.utils.structural_similarity import side_of, similarity_maps

Levels = Annotated[int, Interval(ge=1, le=8)]
"""How often the network halves the image."""
Prior: TypeAlias = FlowKernel | Tensor
"""A flow of kernels, or the one kernel that there is."""
_RATE, _CODE_RATE = 5e-3, 0.5
_INPUT = 0.1  # the input is uniform in [0, 0.1]
_SIMILAR_FROM = 2


@dataclass(frozen=True)
class DIPFKPSettings:
    """The settings of :func:`fit_dip_fkp`.

    Args:
        iterations: Number of iterations.
        frozen: Iterations in which the kernel stays, until the image resembles one.
        similarity: Iterations whose loss is 1 - SSIM, which forms the image sooner than the squared
            difference that follows.
        width: Channels of the network.
        skip: Channels of its skips.
        levels: How often it halves the image.
        seed: Seed of the initial values, the input and the first code.
    """

    iterations: int = 1000
    frozen: int = 75
    similarity: int = 80
    width: int = 128
    skip: int = 16
    levels: int = 5
    seed: int = 0

    def smallest(self, scale: int) -> int:
        """Return the smallest side of an image, in LR pixels."""
        # SSIM's window; and the deepest layers need two pixels to mirror the border and to compare.
        return max(side_of("gaussian-11"), math.ceil(2 ** (self.levels + 1) / scale))


@dataclass(frozen=True)
class DIPFKPFit:
    """The result of :func:`fit_dip_fkp`.

    Args:
        image: (1, C, H, W) in [0, 1].
        kernel: (k, k), sum 1, in the windows of LR pixels.
        error: The mean squared difference of the reduced image from LR.
        iterations: The number of iterations.
    """

    image: Tensor
    kernel: Tensor
    error: float
    iterations: int


def fit_dip_fkp(
    image: Tensor,
    scale: int,
    prior: Prior,
    settings: DIPFKPSettings,
    tick: Callable[[], bool],
) -> DIPFKPFit:
    """Fit a network's image and a flow's kernel to an LR image.

    Each iteration blurs the network's output by the kernel, keeps every s-th pixel and compares
    that with LR. HR is continued by its opposite side. The image and the kernel are the last.

    Args:
        image: (1, C, h, w) in [0, 1].
        scale: HR pixels per LR pixel.
        prior: The flow, frozen; or a kernel (k, k), which is then taken as it is.
        settings: The settings.
        tick: Called after each iteration; True ends the training.

    Returns:
        The fit. Gradients must be enabled; torch's global random state changes.
    """
    rng = torch.Generator().manual_seed(stream_seed(settings.seed, "dip") % (1 << 62))
    # torch draws the initial values of layers from the global random generator.
    torch.manual_seed(int(torch.randint(1 << 31, (), generator=rng)))
    channels, (height, width) = int(image.shape[1]), (int(side) for side in image.shape[2:])
    network = SkipNetwork(
        *(channels, channels, settings.width, settings.skip, settings.levels, _SIMILAR_FROM)
    ).to(image)
    start = torch.rand(1, channels, height * scale, width * scale, generator=rng)
    start = start.mul(_INPUT).to(image)
    optimiser = torch.optim.Adam(network.parameters(), lr=_RATE)
    search, fixed = None, image.new_empty(0)
    if isinstance(prior, Tensor):
        fixed = prior
    else:
        search = CodeSearch(prior, image, _CODE_RATE, (0.9, 0.999), settings.seed)
    for step in range(1, settings.iterations + 1):
        kernel = search.kernel() if search is not None else fixed
        kernel = kernel if step > settings.frozen else kernel.detach()
        made = network(start)
        small = _reduced(made, kernel, scale)
        if step <= settings.similarity:
            loss = 1 - similarity_maps(small, image)[0].mean()
        else:
            loss = F.mse_loss(small, image)
        optimiser.zero_grad()
        if search is not None:
            search.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if search is not None and step > settings.frozen:
            search.step()
        if tick():
            break
    error = float(F.mse_loss(small.detach(), image))
    return DIPFKPFit(made.detach(), kernel.detach(), error, step)


def _reduced(image: Tensor, kernel: Tensor, scale: int) -> Tensor:
    """Correlate (1, C, H, W) at the LR pixels' windows; the image repeats itself."""
    side = int(kernel.shape[-1])
    before = -((scale - side) // 2)
    spans = (before, side - scale - before)
    weight = kernel.to(image).expand(image.shape[1], 1, -1, -1)
    padded = pad(image, spans, spans, "circular")
    return F.conv2d(padded, weight, stride=scale, groups=int(image.shape[1]))


@ESTIMATORS.register_module()
class DIPFKP(KernelEstimator):
    """The kernel that the deep image prior and a flow of kernels find together.

    An untrained network makes an image and a flow makes a kernel; both are fitted until the blurred
    image, of which every s-th pixel is kept, is the LR image. The zero-shot method of the same name
    returns the image. It serves scales 2, 3 and 4, those of the published flows; the flow has to
    be of the image's scale.

    Differences from the published program: kernels are divided by their sum, SSIM is taken at
    positions whose window lies in the image, and the found kernel is moved onto the LR pixel where
    it lies beside.

    Args:
        flow: The flow of kernels: the file of a trained or converted
            :class:`~realdeg.degradations.FlowKernel`, or its config.
        iterations: Number of iterations.
        frozen: Iterations in which the kernel stays, until the image resembles one.
        similarity: Iterations whose loss is 1 - SSIM instead of the squared difference.
        width: Channels of the network.
        skip: Channels of its skips.
        levels: How often it halves the image.
        seed: Seed of initial values, the network's input and the first code.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Liang, Zhang, Gu, Van Gool, Timofte, Flow-based Kernel Prior with Application to Blind
        Super-Resolution, CVPR 2021; JingyunLiang/FKP, commit 127c121, DIPFKP.
    """

    scales = (2, 3, 4)
    example_arguments = {
        "flow": {"type": "FlowKernel", "kernel_size": 5, "hidden": 2, "blocks": 1},
        "iterations": 3,
        "frozen": 1,
        "similarity": 2,
        "width": 4,
        "skip": 2,
        "levels": 3,
    }

    def __init__(
        self,
        flow: DegradationLike | None = None,
        iterations: Count = 1000,
        frozen: Whole = 75,
        similarity: Whole = 80,
        width: Count = 128,
        skip: Count = 16,
        levels: Levels = 5,
        seed: Whole = 0,
    ) -> None:
        self.flow = flow
        self.settings = DIPFKPSettings(iterations, frozen, similarity, width, skip, levels, seed)
        self.smallest = self.settings.smallest(2)

    def prepare(self, scale: int) -> None:
        """Refuse a missing flow, too."""
        super().prepare(scale)
        check_flow(self.flow, scale, type(self).__name__)

    def estimate(
        self, image: Tensor, scale: int, progress: Progress | None = None
    ) -> KernelEstimate:
        """Fit image and kernel to (1, 1 or 3, h, w) and return the kernel.

        Raises:
            ConfigError: If there is no flow.
            GeometryError: If the scale is not 2, 3 or 4, the flow is of another one, or the image
                is too small.
        """
        self.check_image(image, scale)
        name = type(self).__name__
        flow = flow_for(self.flow, scale, name)
        began, done = time.perf_counter(), 0

        def tick() -> bool:
            nonlocal done
            done += 1
            if progress is not None:
                progress(done, self.settings.iterations)
            return False

        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.random.fork_rng(devices=[]),
            full_precision(image),
        ):
            precise = image.detach().clone().float()
            fit = fit_dip_fkp(precise, scale, flow, self.settings, tick)
        return KernelEstimate(
            centred(fit.kernel.cpu(), scale),
            seconds=round(time.perf_counter() - began, 1),
            iterations=fit.iterations,
            notes=flow_notes(flow),
        ).check(scale, name)
