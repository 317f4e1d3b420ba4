"""A blur kernel drawn from a normalizing flow that was trained on kernels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Interval, Predicate
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.coded_kernel import CodedKernel
from realdeg.degradations.normalizing_flow import NormalizingFlow
from realdeg.degradations.primitives import gaussian_kernel_from_variance
from realdeg.degradations.primitives.noise import white_noise
from realdeg.degradations.windowed import Padding
from realdeg.errors import CheckpointError, DataError, GeometryError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Count, Positive, Whole, is_odd
from realdeg.utils.component import load_state
from realdeg.utils.streams import stream_seed

LARGEST_FLOW_KERNEL = 31
"""Maximum side of a flow's kernels, in pixels: 21 are published."""
_DEQUANTISATION = 720.0


@DEGRADATIONS.register_module()
class FlowKernel(CodedKernel):
    """Blurs each image with a kernel drawn from a learned flow, and keeps every s-th pixel.

    FKP's prior of kernels. Draws the seed of a standard normal code. Applies the inverse of the
    flow, which makes a kernel of the code, and correlates all channels with it at the LR pixels.
    The task ``KernelLikelihood`` trains it on the kernels of a ``KernelSet``; FKP's published
    weights are converted by ``realdeg convert_weights FKP_x2.pt fkp_x2.safetensors --degradation
    FlowKernel``.

    The flow does not see weights but the logits of weights over ``peak``. Training adds uniform
    noise of up to 1/720 to them, without which a density of numbers that are often exactly 0 is
    unbounded. Kernels are divided by their sum, which the published program omits: its samples'
    sums vary by about 6 %.

    FKP's kernels are centred at ``-(s - 1) / 2`` from the middle of a window around HR pixel s i,
    so its LR is mirrored against bicubic LR. ``mirrored`` turns such kernels by 180 degrees, which
    puts their centre on the LR pixel and leaves the shape of a Gaussian as it is.

    Args:
        scale: Downscaling factor.
        same_size: Whether the result is upsampled to the HR grid by bicubic interpolation.
        kernel_size: Side k of the kernels; None: FKP's, 4 s + 3 and at most 21.
        hidden: Width of the flow's networks; None: FKP's, 5 s + 5 and at most 25.
        blocks: Number of pairs of couplings and normalisations.
        layers: Hidden layers of the flow's networks beside the first.
        peak: A number above every weight of a kernel; None: FKP's, the greatest weight of its
            sharpest kernel and 0.01.
        alpha: How far logits keep away from infinity.
        mirrored: Whether kernels are centred as FKP's; False: on the LR pixels, as those of a
            pool.
        padding: Border handling, as in :func:`realdeg.ops.kernel_apply`.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Liang, Zhang, Gu, Van Gool, Timofte, Flow-based Kernel Prior with Application to Blind
        Super-Resolution, CVPR 2021; JingyunLiang/FKP, commit 127c121 (FKP/network.py,
        FKP/dataloader.py).
    """

    def __init__(
        self,
        scale: Scale = 2,
        same_size: bool = False,
        kernel_size: Annotated[int, Interval(ge=3, le=LARGEST_FLOW_KERNEL), Predicate(is_odd)]
        | None = None,
        hidden: Count | None = None,
        blocks: Count = 5,
        layers: Whole = 1,
        peak: Positive | None = None,
        alpha: Annotated[float, Interval(gt=0, lt=0.01)] = 1e-6,
        mirrored: bool = True,
        padding: Padding = "circular",
    ) -> None:
        side = min(4 * scale + 3, 21) if kernel_size is None else kernel_size
        super().__init__(scale, same_size, side, padding)
        width = min(5 * scale + 5, 25) if hidden is None else hidden
        self.peak = _sharpest(self.kernel_size, scale) if peak is None else float(peak)
        self.alpha, self.mirrored = alpha, mirrored
        self.flow = NormalizingFlow(self.kernel_size**2, width, blocks, layers)

    @classmethod
    def example(cls, scale: int = 2, same_size: bool = False) -> FlowKernel:
        """Return a small instance that is quick to run."""
        return cls(scale, same_size, kernel_size=5, hidden=4, blocks=2)

    @classmethod
    def from_published(
        cls, state: Mapping[str, Tensor], where: str, arguments: Mapping[str, Any]
    ) -> FlowKernel:
        """Build the flow that published weights belong to.

        Args:
            state: FKP's tensors.
            where: Their file, for messages.
            arguments: Arguments that the tensors do not show, above all ``scale``; without it, the
                scale of FKP's kernel of that size.

        Returns:
            The flow, in evaluation mode.

        Raises:
            CheckpointError: If these are not FKP's tensors, or contradict an argument.
        """
        found = _published_form(state, where)
        given = {"scale": max(2, (found["kernel_size"] - 3) // 4), **arguments}
        for name, value in found.items():
            if given.get(name) not in (None, value):
                raise CheckpointError(
                    f"the flow in {where} has {name}={value:g}, and {given[name]} is asked for:"
                    " leave it out to use the file's."
                )
        made = cls(**{**given, **found})
        # The rest are the arguments, and constants that follow from them.
        own = {f"flow.{key}": value for key, value in state.items() if re.match(r"net\.", key)}
        load_state(made, {k: v for k, v in own.items() if not k.endswith(".mask")}, where)
        made.eval().requires_grad_(False)
        made.mark_trained()
        return made

    @property
    def window(self) -> int:
        """Side of the kernels in the window of :func:`realdeg.ops.kernel_apply`."""
        return self.kernel_size + (2 * ((self.scale - 1) // 2) if self.mirrored else 0)

    def code_of(self, seed: int) -> Tensor:
        """Return the standard normal code of a seed, shape (k * k,), float32."""
        return white_noise((self.kernel_size**2,), seed)

    def kernels(self, codes: Tensor) -> Tensor:
        """Turn codes into kernels as the flow was trained on them, differentiably.

        Args:
            codes: Shape (B, k * k).

        Returns:
            Shape (B, k, k), sum 1.
        """
        raw = self.raw_kernels(codes)
        return raw / raw.sum((1, 2), keepdim=True)

    def raw_kernels(self, codes: Tensor) -> Tensor:
        """Turn codes into kernels as the published program does: as :meth:`kernels`, any sum."""
        weights = (torch.sigmoid(self.flow.inverse(codes)) - self.alpha) / (1 - 2 * self.alpha)
        return weights.view(-1, self.kernel_size, self.kernel_size) * self.peak

    def aligned(self, kernels: Tensor) -> Tensor:
        """Move kernels of :meth:`kernels` to the window of LR pixels.

        Args:
            kernels: Shape (B, k, k).

        Returns:
            Shape (B, window, window); the window of LR pixel i starts at HR pixel
            ``scale * i + floor((scale - window) / 2)``.
        """
        if not self.mirrored:
            return kernels
        extra = self.window - self.kernel_size
        return F.pad(kernels.flip(-2, -1), (0, extra, 0, extra))

    def log_likelihood(self, kernels: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Return the logarithm of the density of kernels' logits, in nats.

        In training mode the flow normalises by the batch's statistics and updates its own.

        Args:
            kernels: As the flow was trained on them, shape (B, 1, k, k).
            seeds: One per kernel, of the uniform noise that training adds; None: its mean, 1/1440,
                for all weights.

        Returns:
            Shape (B,).

        Raises:
            GeometryError: If the kernels are of another size.
            DataError: If there is not one seed per kernel, or a weight is above ``peak``.
        """
        return self.flow.log_likelihood(self._logits(kernels, seeds))

    def _logits(self, kernels: Tensor, seeds: Sequence[int] | None) -> Tensor:
        side = self.kernel_size
        if kernels.ndim != 4 or kernels.shape[1:] != (1, side, side):
            raise GeometryError(
                f"FlowKernel takes kernels (B, 1, {side}, {side}), got {tuple(kernels.shape)}: set"
                f" kernel_size={side} of the KernelSet, or build the flow for that size."
            )
        weights = kernels.flatten(1).clamp(min=0) / self.peak
        if seeds is None:
            weights = weights + 0.5 / _DEQUANTISATION
        elif len(seeds) != len(kernels):
            raise DataError(f"{len(seeds)} seeds were given for {len(kernels)} kernels.")
        else:
            weights = weights + _uniform(weights, seeds) / _DEQUANTISATION
        greatest = float(weights.detach().max()) if weights.numel() else 0.0
        if not greatest < 1:  # NaN fails, too
            raise DataError(
                f"a kernel has a weight of {greatest * self.peak:.4g}, and the flow takes weights"
                f" below its peak of {self.peak:.4g}: set degradation.peak above all weights."
            )
        return torch.logit(self.alpha + (1 - 2 * self.alpha) * weights)

    def describe(self) -> str:
        """Return a one-line description."""
        return f"{super().describe()}, flow of {self.kernel_size} x {self.kernel_size} kernels"


def _sharpest(size: int, scale: int) -> float:
    """Return FKP's scale of weights: the peak of its narrowest Gaussian, rounded, and 0.01."""
    centre = -(scale - 1) / 2
    sharp = gaussian_kernel_from_variance(size, 0.175 * scale, centre=(centre, centre))
    return round(float(sharp.max()), 5) + 0.01


def _uniform(like: Tensor, seeds: Sequence[int]) -> Tensor:
    streams = [np.random.default_rng(stream_seed(seed, "dequantisation")) for seed in seeds]
    drawn = np.stack([stream.random(like.shape[1]) for stream in streams])
    return torch.from_numpy(drawn).to(like)


def _published_form(state: Mapping[str, Tensor], where: str) -> dict[str, Any]:
    """Read the flow's arguments from FKP's tensors."""
    try:
        side, alpha, peak = (
            float(state[name].reshape(())) for name in ("kernel_size", "alpha", "normalization")
        )
        first = state["net.0.s_net.0.weight"]
        hidden, size = int(first.shape[0]), int(first.shape[1])
    except (KeyError, RuntimeError, IndexError) as error:
        raise CheckpointError(
            f"{where} does not hold FKP's tensors ({error}): its files are FKP_x2.pt, FKP_x3.pt and"
            " FKP_x4.pt of JingyunLiang/FKP."
        ) from error
    steps = {match[1] for match in (re.match(r"net\.(\d+)\.", key) for key in state) if match}
    linear = [key for key in state if re.fullmatch(r"net\.0\.s_net\.\d+\.weight", key)]
    masks = [state.get(f"net.{number}.mask") for number in range(0, len(steps), 2)]
    usual = torch.arange(size) % 2
    sound = side**2 == size and len(steps) % 2 == 0 and len(linear) >= 2
    sound = sound and all(
        mask is not None and torch.equal(mask.to(usual), (usual + n) % 2)
        for n, mask in enumerate(masks)
    )
    for name, value in (("base_dist_mean", 0), ("base_dist_var", 1)):
        sound = sound and name in state and bool((state[name] == value).all())
    if not sound:
        raise CheckpointError(
            f"the flow in {where} has other masks, sizes or base distribution than FKP's: it cannot"
            " be used."
        )
    return {
        "kernel_size": int(side),
        "hidden": hidden,
        "blocks": len(steps) // 2,
        "layers": len(linear) - 2,
        "peak": round(peak, 6),
        "alpha": round(alpha, 12),
    }
