"""KernelGAN-FKP: KernelGAN whose generator is a kernel of a learned flow."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.degradations.base import DegradationLike
from realdeg.degradations.estimation.base import KernelEstimate, KernelEstimator, Progress
from realdeg.degradations.estimation.flow_search import (
    CodeSearch,
    check_flow,
    flow_for,
    flow_notes,
)
from realdeg.degradations.estimation.kernelgan import (
    CROP,
    crop_weights,
    draw_crops,
    kernel_for_four,
)
from realdeg.degradations.flow_kernel import FlowKernel
from realdeg.degradations.primitives.kernels import centred
from realdeg.registry import ESTIMATORS
from realdeg.utils.argument_types import Count, Whole
from realdeg.utils.precision import full_precision
from realdeg.utils.streams import stream_seed

_WIDTH, _LAYERS = 32, 5
_RATE, _BETAS = 5e-4, (0.5, 0.999)
_TURNS = 3  # steps of each player in an iteration
_PENALTY = 0.1


@ESTIMATORS.register_module()
class KernelGANFKP(KernelEstimator):
    """The kernel of a photo by internal learning, among the kernels of a flow.

    As KernelGAN, but instead of a linear network the code of a flow of kernels is trained, so that
    no constraint on the kernel is needed. The critic scores patches of 11 x 11 pixels; its loss is
    Wasserstein's with a penalty of its gradient. It serves scales 2, 3 and 4 and photos of 64 x 64
    pixels or more. The kernel of scale 4 is that of 2 combined with itself, so both take a flow of
    scale 2; scale 3 is not in the paper.

    Args:
        flow: The flow of kernels: the file of a trained or converted
            :class:`~realdeg.degradations.FlowKernel`, or its config.
        iterations: Rounds of three steps of each player, at most; 1000 are published for scale 2,
            4000 for 4. None: those.
        batch: Crops of an iteration.
        seed: Seed of the first code, the critic's initial values and crops.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Liang, Zhang, Gu, Van Gool, Timofte, Flow-based Kernel Prior with Application to Blind
        Super-Resolution, CVPR 2021; JingyunLiang/FKP, commit 127c121, KernelGANFKP.
    """

    scales = (2, 3, 4)
    smallest = CROP
    example_arguments = {
        "flow": {"type": "FlowKernel", "kernel_size": 5, "hidden": 2, "blocks": 1},
        "iterations": 2,
        "batch": 2,
    }

    def __init__(
        self,
        flow: DegradationLike | None = None,
        iterations: Count | None = None,
        batch: Count = 64,
        seed: Whole = 0,
    ) -> None:
        self.flow, self.iterations, self.batch, self.seed = flow, iterations, batch, seed

    def prepare(self, scale: int) -> None:
        """Refuse a missing flow, too."""
        super().prepare(scale)
        check_flow(self.flow, 3 if scale == 3 else 2, type(self).__name__)

    def estimate(
        self, image: Tensor, scale: int, progress: Progress | None = None
    ) -> KernelEstimate:
        """Train code and critic on (1, 1 or 3, h, w) and return the kernel.

        Raises:
            ConfigError: If there is no flow.
            GeometryError: If the scale is not 2, 3 or 4, the flow is of another one, or the image
                is too small.
            DataError: If the image has no texture.
        """
        self.check_image(image, scale)
        stride = 3 if scale == 3 else 2
        flow = flow_for(self.flow, stride, type(self).__name__)
        most = (4000 if scale == 4 else 1000) if self.iterations is None else self.iterations
        began = time.perf_counter()

        def report(done: int) -> None:
            if progress is not None:
                progress(done, most)

        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.random.fork_rng(devices=[]),
            full_precision(image),
        ):
            run = _Run(image.detach().clone().float(), flow, stride, most, self.batch, self.seed)
            kernel = run.train(report).double()
        kernel = kernel_for_four(centred(kernel, 2)) if scale == 4 else kernel
        seconds = round(time.perf_counter() - began, 1)
        return KernelEstimate(
            centred(kernel, scale), seconds=seconds, iterations=most, notes=flow_notes(flow)
        ).check(scale, type(self).__name__)


class _Run:
    """Code and critic, and the crops of all iterations."""

    def __init__(
        self, image: Tensor, flow: FlowKernel, stride: int, iterations: int, batch: int, seed: int
    ) -> None:
        self.stride, self.iterations, self.batch = stride, iterations, batch
        self.image = image.expand(-1, 3, -1, -1)
        self.search = CodeSearch(flow, image, _RATE, _BETAS, seed)
        self.rng = torch.Generator().manual_seed(stream_seed(seed, "penalty") % (1 << 62))
        torch.manual_seed(stream_seed(seed, "critic") % (1 << 62))
        self.critic = _critic().to(image)
        self.optimiser = torch.optim.Adam(self.critic.parameters(), lr=_RATE, betas=_BETAS)
        self.small = (CROP - flow.window) // stride + 1
        crops = np.random.default_rng(stream_seed(seed, "crops"))
        fine, coarse = crop_weights(image, stride)
        count = iterations * batch
        self.large_crops = draw_crops(coarse, CROP, count, stride, crops)
        self.small_crops = draw_crops(fine, self.small, count, 1, crops)

    def train(self, report: Callable[[int], None]) -> Tensor:
        """Train both, and return the last kernel that was compared, (k, k) on the CPU."""
        for step in range(self.iterations):
            span = slice(step * self.batch, (step + 1) * self.batch)
            real = self._crops(self.small_crops[span], self.small)
            large = self._crops(self.large_crops[span], CROP)
            kernel = self.search.kernel()
            fake = F.conv2d(large, kernel.expand(3, 1, -1, -1), stride=self.stride, groups=3)
            for _ in range(_TURNS):
                self._train_critic(real, fake.detach())
            self.search.zero_grad()
            self.critic.requires_grad_(False)
            (-self._score(fake).mean()).backward()  # type: ignore[no-untyped-call]
            self.critic.requires_grad_(True)
            # The published program reduces the crops once, so all steps have this gradient.
            for _ in range(_TURNS):
                self.search.step()
            report(step + 1)
        return kernel.detach().cpu()

    def _train_critic(self, real: Tensor, fake: Tensor) -> None:
        share = float(torch.rand((), generator=self.rng))
        between = (share * real + (1 - share) * fake).requires_grad_()
        (gradient,) = torch.autograd.grad(self._score(between).sum(), between, create_graph=True)
        penalty = _PENALTY * (gradient.norm(2, dim=1) - 1).square().mean()
        loss = self._score(fake).mean() - self._score(real).mean() + penalty
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    def _score(self, crops: Tensor) -> Tensor:
        made: Tensor = self.critic(2 * crops - 1)
        return made

    def _crops(self, corners: list[tuple[int, int]], size: int) -> Tensor:
        return torch.cat(
            [self.image[..., top : top + size, left : left + size] for top, left in corners]
        )


def _critic() -> nn.Sequential:
    """Five 3 x 3 convolutions without padding, normalised by the batch but for the last."""
    layers: list[nn.Module] = []
    for number in range(_LAYERS - 1):
        layers.append(nn.Conv2d(_WIDTH if number else 3, _WIDTH, 3))
        layers += [nn.BatchNorm2d(_WIDTH), nn.LeakyReLU(0.2)]
    critic = nn.Sequential(*layers, nn.Conv2d(_WIDTH, 1, 3))
    for layer in critic:
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
    return critic
