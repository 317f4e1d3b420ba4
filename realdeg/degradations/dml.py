"""DML: degradation model learning (Xiao, Yong and Zhang, ACCV 2020).

Each LR pixel is filtered by its own mixture of N basis kernels. The bases are global and learned;
a network predicts the mixing weights from the HR image (Eqs. 2 to 4). Beyond the paper, the
network may also see where the image lies in its photo and a random code, and R, G and B may have
weights or bases of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.degradations.base import Scale
from realdeg.degradations.encoder_decoder import Levels, Xavier
from realdeg.degradations.learned import LRGrid
from realdeg.degradations.primitives import gaussian_kernel
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.degradations.told import ToldDegradation, WithoutPlace
from realdeg.degradations.windowed import Padding, WindowSize
from realdeg.ops import kernel_apply
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Count
from realdeg.utils.colour import GREY_WEIGHTS, grey_of, luma_of
from realdeg.utils.place import Place
from realdeg.utils.precision import full_precision

Activation = Literal["sigmoid", "sigmoid_normalised", "softmax"]
ColourField = Literal["luma", "weights", "bases"]


@DEGRADATIONS.register_module()
class DML(ToldDegradation):
    """N learned basis kernels, mixed at every pixel by a network.

    Where the paper leaves something open, an argument decides; defaults are the literal reading.

    Args:
        scale: Downscaling factor.
        same_size: Whether LR lies on the HR grid (RealSR V1/V2, the paper's setting).
        num_kernels: N, 8 in the paper; 4 and 16 in its ablation.
        kernel_size: Side of the bases, 15 in the paper for all scales.
        width: Channels of the network at full resolution (not stated).
        levels: Halvings inside the network (not stated).
        skips: Whether the network has skip connections (not stated).
        activation: Activation of the weights: independent ``"sigmoid"`` (the paper),
            ``"sigmoid_normalised"`` (divided by their sum) or ``"softmax"``.
        init: Initial bases: ``"random"`` (uniform on [0, 1), each divided by its sum; the paper) or
            ``"gaussian_bank"`` (Gaussians from nearly a delta to a wide blur, centred on the LR
            pixel).
        unit_gain: Whether the last bias makes the initial weights 1 / N, which preserves brightness
            at step 0. Without it, a sigmoid starts at 0.5 and images are N / 2 times too bright.
            ``None`` is True for ``gaussian_bank`` and False for ``random``.
        renormalise: Whether the bases are divided by their sums on every use.
        nonnegative: Whether negative taps are set to 0 on every use.
        padding: Border handling, as in :func:`realdeg.ops.kernel_apply`.
        xavier: ``"uniform"`` or ``"normal"`` (the paper only says Xavier).
        lr_grid: See :class:`LearnedDegradation`.
        position: Whether the network also sees each pixel's distance from the optical axis
            (:func:`~realdeg.degradations.primitives.field_position`), from the place of the image
            in its photo. Flips of the training data flip the place as well, so the lens is taken
            to be symmetric about its axis.
        without_place: What happens to an image of unknown place where ``position`` is used:
            ``"refuse"``, or ``"centre"``, which degrades it as if on the optical axis.
        colour: ``"luma"`` reads luma and treats R, G and B alike (the paper). ``"weights"`` reads
            RGB and predicts mixing weights for each channel, ``"bases"`` reads RGB and has bases
            for each channel, mixed with the same weights.
        latent: Numbers in a random code that the network also sees, one code per image, drawn from
            its seed: one HR image then has many LR images. 0: none, as in the paper. The state dict
            also has the small network that reads codes off pairs in training.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.
    """

    later_arguments: ClassVar[tuple[str, ...]] = ("position", "without_place", "colour", "latent")

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        num_kernels: Count = 8,
        kernel_size: WindowSize = 15,
        width: Count = 64,
        levels: Levels = 4,
        skips: bool = True,
        activation: Activation = "sigmoid",
        init: Literal["random", "gaussian_bank"] = "random",
        unit_gain: bool | None = None,
        renormalise: bool = False,
        nonnegative: bool = False,
        padding: Padding = "reflect",
        xavier: Xavier = "uniform",
        lr_grid: LRGrid = "unshuffle",
        position: bool = False,
        without_place: WithoutPlace = "refuse",
        colour: ColourField = "luma",
        latent: Annotated[int, Interval(ge=0, le=64)] = 0,
    ) -> None:
        super().__init__(scale, same_size, kernel_size, padding, lr_grid)
        self.activation, self.renormalise, self.nonnegative = activation, renormalise, nonnegative
        self.position, self.without_place = position, without_place
        self.colour, self.latent = colour, latent
        if init == "random":
            bases = torch.rand(num_kernels, kernel_size, kernel_size)
            bases = bases / bases.sum((1, 2), keepdim=True)
        else:
            bases = gaussian_bank(num_kernels, kernel_size, self.stride)
        if colour == "bases":
            bases = bases.repeat(3, 1, 1, 1)
        self.bases = nn.Parameter(bases)
        self.network = self.make_network(
            (3 if colour == "weights" else 1) * num_kernels, width, levels, skips, xavier,
            image_channels=1 if colour == "luma" else 3, conditions=self.condition_channels,
        )  # fmt: skip
        wants_unit = init == "gaussian_bank" if unit_gain is None else unit_gain
        if wants_unit and activation == "sigmoid" and num_kernels > 1:
            # sigmoid(-log(N - 1)) = 1 / N
            assert self.network.last.bias is not None
            nn.init.constant_(self.network.last.bias, -math.log(num_kernels - 1))
        self.make_reader()

    @property
    def needs_rgb(self) -> bool:
        """Whether R, G and B have weights or bases of their own."""
        return self.colour != "luma"

    def seen(self, hr: Tensor) -> Tensor:
        """Return what the network reads of HR: luma, or R, G and B."""
        if self.colour == "luma":
            return luma_of(hr)
        return hr if hr.shape[1] == 3 else grey_of(hr).expand(-1, 3, -1, -1)

    def weights(self, hr: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Predict the mixing weights, C in Eq. 3.

        Args:
            hr: HR batch, RGB or Y, shape (B, C, H, W).
            conditions: From :meth:`conditions`; None: the optical axis, and a code of 0.

        Returns:
            Shape (B, N, H / stride, W / stride); those of grey where the channels differ.
        """
        return self._grey(self.channel_weights(hr, conditions), 1)

    def channel_weights(self, hr: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Predict the mixing weights of each channel; see :meth:`weights`.

        Returns:
            Shape (B, 3, N, H / stride, W / stride), or (B, 1, N, ...) if they are shared.
        """
        if conditions is None:
            conditions = self.told(hr)
        channels = 3 if self.colour == "weights" else 1
        field = self.field(hr, conditions).unflatten(1, (channels, -1))
        if self.activation == "softmax":
            return field.softmax(2)
        weights = field.sigmoid()
        if self.activation == "sigmoid_normalised":
            weights = weights / weights.sum(2, keepdim=True)
        return weights

    def effective_bases(self) -> Tensor:
        """Return the bases after ``nonnegative`` and ``renormalise``, shape (N, k, k).

        They are those of grey where the channels differ.
        """
        bases = self.channel_bases()
        return self._grey(bases, 0) if bases.ndim == 4 else bases

    def channel_bases(self) -> Tensor:
        """Return the bases in use, shape (N, k, k), or (3, N, k, k) if channels have their own."""
        bases: Tensor = self.bases
        if self.nonnegative:
            bases = F.relu(bases)
        if self.renormalise:
            bases = bases / bases.sum((-2, -1), keepdim=True)
        return bases

    def mixture(self, hr: Tensor, conditions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the weights and the bases in the form that ``kernel_apply`` takes.

        Args as for :meth:`weights`. With both fixed, the degradation is linear in the image.
        """
        weights, bases = self.channel_weights(hr, conditions), self.channel_bases()
        weights = weights[:, 0] if weights.shape[1] == 1 else weights
        return weights, bases[None] if bases.ndim == 4 else bases

    def generate(self, hr: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Filter every pixel with its own mixture of the bases."""
        weights, bases = self.mixture(hr, conditions)
        image = hr.expand(-1, 3, -1, -1) if self.needs_rgb else hr
        with full_precision(hr):
            lr = kernel_apply(image, weights, bases, self.stride, self.padding)
        return self._grey(lr, 1, keepdim=True) if lr.shape[1] != hr.shape[1] else lr

    def kernels_at(
        self, hr: Tensor, points: Sequence[tuple[int, int]], place: Place | None = None
    ) -> Tensor:
        """Return the mixed kernels at given LR pixels, shape (P, k, k).

        Args:
            hr: One HR image, shape (1, C, H, W).
            points: (row, column) of LR pixels.
            place: Where the image lies in its photo, if ``position``.
        """
        return self._grey(self._kernels(hr, points, place), 1)

    def channel_kernels_at(
        self, hr: Tensor, points: Sequence[tuple[int, int]], place: Place | None = None
    ) -> Tensor:
        """Return the kernels of R, G and B, shape (P, 3, k, k); see :meth:`kernels_at`."""
        return self._kernels(hr, points, place).expand(-1, 3, -1, -1)

    def _kernels(
        self, hr: Tensor, points: Sequence[tuple[int, int]], place: Place | None
    ) -> Tensor:
        rows, columns = zip(*points, strict=True)
        field = self.channel_weights(hr, self.conditions(hr, [place]))[0]
        weights = field[..., list(rows), list(columns)]
        bases = self.channel_bases()
        if bases.ndim == 4:
            return torch.einsum("np,cnij->pcij", weights[0], bases)
        return torch.einsum("cnp,nij->pcij", weights, bases)

    def _grey(self, channels: Tensor, dim: int, keepdim: bool = False) -> Tensor:
        """Take what one channel stands for, or the mean of R, G and B by their weights in grey."""
        if channels.shape[dim] == 1:
            return channels if keepdim else channels.squeeze(dim)
        shape = [1] * channels.ndim
        shape[dim] = 3
        return (channels * channels.new_tensor(GREY_WEIGHTS).view(shape)).sum(dim, keepdim)


def gaussian_bank(num_kernels: int, kernel_size: WindowSize, stride: int) -> Tensor:
    """Return N unit-sum Gaussians, float32, (N, k, k), from the sharpest to a wide blur.

    Every third one is elongated, so that mixtures can have a direction. Their common centroid is at
    the LR pixel: in the middle of the window if ``stride - kernel_size`` is even, else half a pixel
    off. ``stride`` is in HR pixels per LR pixel on the grid.
    """
    rest = centre_rest(kernel_size, stride)
    # The window then reaches half a pixel further on one side; cutting that off keeps wide kernels
    # centred.
    distance = (torch.arange(kernel_size, dtype=torch.float64) - (kernel_size - 1) / 2 - rest).abs()
    near = (distance <= (kernel_size - 1) / 2 - rest).double()
    inside = torch.outer(near, near)
    widest = kernel_size / 6
    kernels = []
    for index in range(num_kernels):
        share = index / max(num_kernels - 1, 1)
        sigma = 0.35 * (widest / 0.35) ** share
        stretch, angle = 1.0, 0.0
        if index % 3 == 2:
            stretch, angle = 1.5, 0.0 if index % 2 else math.pi / 2
        kernel = gaussian_kernel(kernel_size, sigma * stretch, sigma / stretch, angle, (rest, rest))
        kernels.append(kernel * inside / (kernel * inside).sum())
    return torch.stack(kernels).float()
