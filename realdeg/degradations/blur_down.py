"""Blur and reduction: the classical degradations, with published settings by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Interval, MinLen
from torch import Tensor

from realdeg.degradations.base import Degradation, Scale
from realdeg.degradations.bicubic import enlarge_bicubic, enlarged_border
from realdeg.degradations.blur_kinds import KINDS, ORDERS, REDUCTIONS, ROUNDINGS
from realdeg.degradations.kernel_draw import LARGEST_DISTURBANCE, check_spec, disturb, draw_kernel
from realdeg.degradations.primitives import imresize
from realdeg.degradations.primitives.borders import BORDERS, PADDINGS, pad, padding_of
from realdeg.degradations.primitives.filtering import filter_image
from realdeg.degradations.primitives.kernels import make_kernel, shift_to_centroid
from realdeg.degradations.primitives.reduction_kernels import blur_and_reduce, reduce_and_blur
from realdeg.degradations.trace import Seed, Trace, TraceParams
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Choice
from realdeg.utils.deprecation import warn_renamed
from realdeg.utils.image import round_to_8_bit
from realdeg.utils.streams import stream_seed


@dataclass(frozen=True)
class KernelParams(TraceParams):
    """A blur kernel.

    Args:
        kernel: Its record, for ``make_kernel``.
    """

    kernel: Mapping[str, Any]


@dataclass(frozen=True)
class DisturbanceParams(TraceParams):
    """Random factors that multiply the weights of a kernel.

    Args:
        disturbance: The largest disturbance d: factors are from 1 to 1 + d.
        disturbance_seed: The seed of the factors.
    """

    disturbance: Annotated[float, Interval(ge=0, le=LARGEST_DISTURBANCE)]
    disturbance_seed: Seed


@dataclass(frozen=True)
class RecentreParams(TraceParams):
    """Whether a kernel's centroid is moved to its centre, from which noise and window keep it.

    Args:
        recentre: Recorded where it is done.
    """

    recentre: bool


@DEGRADATIONS.register_module()
class BlurDown(Degradation):
    """Blurs with a kernel drawn for each image and reduces, or the other way round.

    A ``kind`` stands for the settings of a publication; other arguments override parts of them.
    Kernels are correlated, never flipped.

    =========  ===========================================  =========  ==========  =========
    kind       kernel                                       padding    reduction   LR pixel 0
    =========  ===========================================  =========  ==========  =========
    BD         7 x 7, sigma 1.6, rounded to 8 bit           replicate  nearest     floor(s/2)
    s-fold     25 x 25, sigma 0.7, 1.2, 1.6 or 2            circular   pixel s i   0
    SRMD       15 x 15, variances 0.1 to 10; LR rounded     replicate  bicubic     (s-1)/2
    DPSR       as s-fold, but blurred after the reduction   circular   bicubic     (s-1)/2
    IKC        21 x 21, sigma 0.2 to 2, 3, 4 (x2, x3, x4)   reflect    bicubic     (s-1)/2
    DAN        21 x 21, sigma 0.2 to 4                      reflect    bicubic     (s-1)/2
    DAN-2      11, 21, 31; sigmas 0.6 to 5, disturbed       reflect    bicubic     (s-1)/2
    DIV2KRK    5s + 1; variances 0.175 s to 2.5 s, noise    symmetric  pixel s i   s/2
    Gaussian8  21 x 21; eight widths for each scale         reflect    bicubic     (s-1)/2
    FKP        4s + 3; variances 0.175 s to 2.5 s           circular   pixel s i   -(s-1)/2
    KXNet      21 x 21, sigma 0.2 to 2, 3, 4                reflect    pixel s i   0
    KXNet-2    11, 15, 21; sigmas 0.6 to 5                  reflect    pixel s i   0
    =========  ===========================================  =========  ==========  =========

    Where LR pixel 0 does not lie at (s - 1) / 2, LR is shifted relative to bicubic LR. ``offset``
    states by how much, and ``kernel=dict(..., centre="aligned")`` undoes it. Networks trained on
    shifted LR give shifted results for other LR.

    It draws the kernel's parameters, each uniformly from its range. ``blur_kinds.py`` lists the
    sources and what they leave open.

    Args:
        scale: Downscaling factor.
        same_size: Whether the result is upsampled back to the HR grid, by bicubic interpolation.
        kind: One of the names above.
        kernel: The family of kernels, for instance
            ``dict(shape="gaussian", size=21, sigma_x=[0.2, 4.0])``: shape, side (odd, in pixels)
            and the arguments of ``make_kernel``; a list of families draws one of them. Ranges are
            ``[low, high]``, choices ``dict(one_of=[...])``. ``centre`` shifts the centroid
            (pixels along both axes, or ``"aligned"``), ``disturbance=d`` multiplies each weight
            by a factor from 1 to 1 + d, and ``recentre=True`` moves the centroid back: weights
            that were multiplied, or cut off by the window, displace it.
        order: ``"blur_first"`` or ``"reduce_first"``.
        border: The former name of ``padding``, with ``"wrap"`` for ``"circular"``.
        reduction: ``"bicubic"``, ``"nearest"`` or ``"s_fold"``.
        rounding: What is rounded to 8 bit, which removes the gradient: ``"none"``, ``"blurred"``
            or ``"result"``.
        padding: How the image is continued beyond its border for the blur: ``"reflect"``,
            ``"symmetric"``, ``"replicate"``, ``"circular"`` or ``"zeros"``.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If a name is unknown or a kernel cannot be made.
    """

    unstated = ()

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        kind: Annotated[str, Choice(*KINDS)] = "BD",
        kernel: Mapping[str, Any] | Annotated[Sequence[Mapping[str, Any]], MinLen(1)] | None = None,
        order: Annotated[str, Choice(*ORDERS)] | None = None,
        border: Annotated[str, Choice(*BORDERS)] | None = None,
        reduction: Annotated[str, Choice(*REDUCTIONS)] | None = None,
        rounding: Annotated[str, Choice(*ROUNDINGS)] | None = None,
        padding: Annotated[str, Choice(*PADDINGS)] | None = None,
    ) -> None:
        super().__init__(scale, same_size)
        usual = KINDS[kind]
        self.kind = kind
        self.order = order or usual.order
        if border is not None:
            warn_renamed("BlurDown(border=...)", "BlurDown(padding=...)")
            border = padding_of(border)
        self.padding = padding or border or usual.padding
        self.reduction = reduction or usual.reduction
        self.rounding = rounding or usual.rounding
        family = usual.kernel(scale) if kernel is None else kernel
        self._specs = [family] if isinstance(family, Mapping) else list(family)
        for spec in self._specs:
            check_spec(spec, "BlurDown")
        if len({self._centre(spec) for spec in self._specs}) > 1:
            raise ConfigError(
                "BlurDown: the families of kernels have different centres, so LR images would be"
                " shifted relative to each other: give all the same centre."
            )
        self.differentiable = self.rounding == "none"  # type: ignore[misc]

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments; files from before ``padding`` keep their hash."""
        own = super().arguments
        return own if own["padding"] else {k: v for k, v in own.items() if k != "padding"}

    def _position(self) -> float:
        """Return the position within a block of the pixel that the reduction keeps."""
        return {"bicubic": (self.scale - 1) / 2, "nearest": self.scale // 2, "s_fold": 0.0}[
            self.reduction
        ]

    def _centre(self, spec: Mapping[str, Any]) -> float:
        """Return the shift of a family's centroid, in pixels of the blurred image."""
        centre = spec.get("centre", 0.0)
        if centre != "aligned":
            return float(centre)
        rest = (self.scale - 1) / 2 - self._position()
        return rest if self.order == "blur_first" else rest / self.scale

    @property
    def offset(self) -> float:
        """HR coordinate at which LR pixel 0 is centred."""
        pixel = 1 if self.order == "blur_first" else self.scale
        small = self._position() + pixel * self._centre(self._specs[0])
        # Upsampling assumes LR pixels centred in their blocks, so that a shift remains.
        return small - (self.scale - 1) / 2 if self.same_size else small

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding influences, for the largest kernel."""
        reach = max(int(spec["size"]) for spec in self._specs) // 2
        small = -(-reach // self.scale) if self.order == "blur_first" else reach
        if self.scale > 1 and self.reduction == "bicubic":
            small += 2
        return enlarged_border(small, self.scale) if self.same_size else small

    def trace_params(self) -> dict[str, Any]:
        """Return the geometry and settings that every trace records."""
        return {
            **super().trace_params(),
            "kind": self.kind,
            "order": self.order,
            "border": "wrap" if self.padding == "circular" else self.padding,
            "reduction": self.reduction,
            "rounding": self.rounding,
        }

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the kernel."""
        rng = np.random.default_rng(stream_seed(seed, "family"))
        spec = self._specs[int(rng.integers(len(self._specs)))]
        kernel = KernelParams(draw_kernel(spec, seed, self._centre(spec)))
        params = {**self.trace_params(), **kernel.to_params()}
        if spec.get("disturbance", 0):
            strength = float(spec["disturbance"])
            params |= DisturbanceParams(strength, stream_seed(seed, "disturbance")).to_params()
        if spec.get("recentre", False):
            params |= RecentreParams(recentre=True).to_params()
        return Trace("BlurDown", params, size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Blur each image with its kernel, and reduce."""
        kernels = [traced_kernel(trace) for trace in traces]
        lr = hr
        if self.rounding == "blurred" and self.reduction != "bicubic" and kernels:
            lr = round_to_8_bit(self._blur_what_is_kept(lr, kernels))
        elif self.order == "blur_first":
            lr = self._reduce(self._blur(lr, kernels))
        else:
            lr = self._blur(self._reduce(lr), kernels)
        if self.rounding == "result":
            lr = round_to_8_bit(lr)
        lr = lr.to(hr.dtype)
        if self.same_size and self.scale > 1:
            lr = enlarge_bicubic(lr, self.scale, (int(hr.shape[-2]), int(hr.shape[-1])))
        return lr

    def _blur(self, x: Tensor, kernels: Sequence[Tensor]) -> Tensor:
        if not kernels:
            return x
        if self.rounding == "blurred":
            # In float32, about one pixel in 20,000 would round the other way.
            x = x.double()
        if len({kernel.shape for kernel in kernels}) == 1:
            x = filter_image(x, torch.stack(list(kernels)), self.padding)
        else:
            x = torch.cat(
                [
                    filter_image(x[i : i + 1], kernel, self.padding)
                    for i, kernel in enumerate(kernels)
                ]
            )
        return round_to_8_bit(x) if self.rounding == "blurred" else x

    def _blur_what_is_kept(self, x: Tensor, kernels: Sequence[Tensor]) -> Tensor:
        """Blur in float64, only at pixels that the reduction keeps."""
        step, start = self.scale, int(self._position())
        if self.order == "reduce_first":
            x, step, start = self._reduce(x), 1, 0
        blurred = []
        for image, kernel in zip(x.double(), kernels, strict=True):
            reach = kernel.shape[0] // 2
            wide = pad(image[None], (reach, reach), (reach, reach), self.padding)[0]
            windows = wide[:, None, start:, start:]
            blurred.append(F.conv2d(windows, kernel[None, None].to(wide), stride=step)[:, 0])
        return torch.stack(blurred)

    def _reduce(self, x: Tensor) -> Tensor:
        if self.scale == 1:
            return x
        if self.reduction == "bicubic":
            return imresize(x, 1 / self.scale)
        start = int(self._position())
        return x[..., start :: self.scale, start :: self.scale].contiguous()

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the kernel of the blur, and of the whole way to LR.

        Returns:
            ``kernel``, float32, (k, k); ``reduction``, float32, (n, n), n odd, as
            :mod:`~realdeg.degradations.primitives.reduction_kernels` describes it; that is missing
            where LR is enlarged again.
        """
        kernel = traced_kernel(trace)
        told = {"kernel": kernel.float()}
        if self.same_size and self.scale > 1:
            return told
        bicubic = self.reduction == "bicubic" or self.scale == 1
        if self.order == "reduce_first":
            if not bicubic:
                return told
            whole = reduce_and_blur(kernel, self.scale)
        else:
            pixel = None if bicubic else int(self._position())
            whole = blur_and_reduce(kernel, self.scale, pixel)
        return told | {"reduction": whole.float()}

    def describe(self) -> str:
        """Return a one-line description."""
        return f"{super().describe()}, as in {KINDS[self.kind].source}"


def traced_kernel(trace: Trace) -> Tensor:
    """Build the kernel recorded in a trace.

    Args:
        trace: A trace with ``kernel`` and, where it was disturbed, ``disturbance``.

    Returns:
        float64, shape (k, k), k odd.

    Raises:
        DataError: If the record is invalid.
    """
    try:
        kernel = make_kernel(trace.read(KernelParams).kernel)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"the trace of {trace.type} does not hold a kernel: {str(error)[:160]}."
        ) from error
    if kernel.shape[0] % 2 == 0:
        raise DataError(
            f"the trace of {trace.type} holds a kernel of even size {kernel.shape[0]}: sizes must"
            " be odd here."
        )
    if "disturbance" in trace.params:
        drawn = trace.read(DisturbanceParams)
        kernel = disturb(kernel, drawn.disturbance, drawn.disturbance_seed)
    if "recentre" not in trace.params or not trace.read(RecentreParams).recentre:
        return kernel
    row, column = trace.read(KernelParams).kernel.get("centre") or (0.0, 0.0)
    try:
        return shift_to_centroid(kernel, (float(row), float(column)))
    except ValueError as error:
        raise DataError(f"the kernel of the trace of {trace.type}: {error}.") from error
