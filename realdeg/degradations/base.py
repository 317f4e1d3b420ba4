"""The contract of every degradation: drawing is split from computing.

``sample`` draws every random decision, one trace per image; ``replay`` applies a trace and is
deterministic. The split follows kornia's augmentations.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar, cast, overload

import torch
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.degradations.changing import rebuilt
from realdeg.degradations.display import ShowsDegradation
from realdeg.degradations.trace import Trace
from realdeg.errors import DataError, GeometryError
from realdeg.utils.annotations import mismatch
from realdeg.utils.argument_types import Component, Geometry
from realdeg.utils.arguments import CapturesArguments
from realdeg.utils.component import component_hash, save_component
from realdeg.utils.deprecation import warn_renamed
from realdeg.utils.scales import divides

Scale: TypeAlias = Annotated[int, Interval(ge=1, le=16), Geometry()]
"""A whole number of HR pixels per LR pixel."""
AnyScale: TypeAlias = Annotated[float, Interval(ge=1, le=16), Geometry()]
"""HR pixels per LR pixel, whole or not: for classes with ``any_scale``."""

Self = TypeVar("Self", bound="Degradation")

# Unclipped noise of sigma 255 stays below this; an 8-bit image does not, unless almost black.
_LARGEST_VALUE = 16.0


class Degradation(ShowsDegradation, CapturesArguments, nn.Module):
    """Turns HR images into LR images.

    Subclasses implement :meth:`sample_one` (draw the decisions for one image) and
    :meth:`degrade` (apply them). Tensors are RGB or Y, float32 in [0, 1].

    Args:
        scale: Downscaling factor from 1 to 16; an integer unless ``any_scale``.
        same_size: Whether LR lies on the HR grid (RealSR V1/V2, City100) instead of being
            ``scale`` times smaller.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        GeometryError: If the scale is out of range.
    """

    differentiable: ClassVar[bool] = True
    """Whether :meth:`replay` has a gradient with respect to HR."""

    fitting: ClassVar[Literal["gradient", "closed_form"] | None] = None
    """How it is fitted to pairs; None where there is nothing to learn."""

    any_scale: ClassVar[bool] = False
    """Whether the scale may be any real number."""
    fixed_geometry: ClassVar[bool] = True
    """Whether a file of learned weights serves only the scale and grid that it was trained at."""

    same_grid_part: ClassVar[bool] = False
    """Whether it keeps the grid as a part of a container, as noise does."""

    unstated: ClassVar[tuple[str, ...]] = ("kernel", "noise_level")
    """What it may do and :meth:`condition` does not tell."""

    __call__: Callable[..., Tensor]

    def __init__(self, scale: AnyScale = 4, same_size: bool = False) -> None:
        super().__init__()
        # Checked again: a subclass's constructor may omit the limits.
        wrong = mismatch(scale, AnyScale if self.any_scale else Scale)
        if wrong:
            raise GeometryError(f"{type(self).__name__}: scale {wrong}.")
        self.scale: int = cast(Any, scale)  # an integer for all classes but those of any_scale
        self.same_size = bool(same_size)
        self._pretrained_hash: str | None = None
        self._range_seen = False

    @property
    def stride(self) -> int:
        """HR pixels per LR pixel on the grid: 1 when ``same_size``."""
        return 1 if self.same_size else self.scale

    @property
    def offset(self) -> float:
        """HR coordinate at which LR pixel 0 is centred."""
        return (self.stride - 1) / 2

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding of the image influences."""
        return 0

    @property
    def is_trained(self) -> bool:
        """Whether there is nothing to learn, or weights were fitted or loaded."""
        return self.fitting is None or self._pretrained_hash is not None

    @property
    def needs_rgb(self) -> bool:
        """Whether it needs colour: it gets RGB even where a network trains on luma."""
        return False

    @property
    def one_kernel(self) -> bool:
        """Whether it filters every LR pixel of an image with the same kernel, by design."""
        return False

    def sample(self, hr: Tensor, seeds: Sequence[int]) -> list[Trace]:
        """Draw every random decision.

        Args:
            hr: HR batch, shape (B, C, H, W); its content does not affect the draws.
            seeds: One seed per image.

        Returns:
            One trace per image.

        Raises:
            DataError: If there is not one seed per image.
            GeometryError: If the size is not divisible by the scale.
        """
        self.check_input(hr)
        self.check_seeds(hr, seeds)
        size = (int(hr.shape[1]), int(hr.shape[2]), int(hr.shape[3]))
        return [self.sample_one(size, int(seed)) for seed in seeds]

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the decisions for one image.

        Args:
            size: (channels, height, width) of the HR image.
            seed: The image's seed.

        Returns:
            Its trace. The default draws nothing.
        """
        return Trace(type(self).__name__, self.trace_params(), size)

    def trace_params(self) -> dict[str, Any]:
        """Return the params of all traces of this object, with the weights' hash if learned."""
        params: dict[str, Any] = {"scale": self.scale, "same_size": self.same_size}
        if self.fitting is not None:
            params["weights"] = self.hash()
        return params

    def replay(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Degrade a batch according to its traces; deterministic.

        Args:
            hr: HR batch, shape (B, C, H, W).
            traces: One trace per image.

        Returns:
            The LR batch.

        Raises:
            DataError: If a trace belongs to another degradation, size or set of weights.
        """
        self.check_traces(hr, traces)
        return self.degrade(hr, traces)

    @overload
    def apply(self: Self, fn: Callable[[nn.Module], None]) -> Self: ...

    @overload
    def apply(self, fn: Tensor, traces: Sequence[Trace] = ()) -> Tensor: ...

    def apply(self, fn: Any, traces: Sequence[Trace] = ()) -> Any:
        """Call a function on every submodule, as any module does.

        Called with a batch and traces, it is the former name of :meth:`replay`.

        Args:
            fn: The function.
            traces: One trace per image, where ``fn`` is a batch.
        """
        if not isinstance(fn, Tensor):
            return super().apply(fn)
        warn_renamed("Degradation.apply(hr, traces)", "Degradation.replay(hr, traces)")
        return self.replay(fn, traces)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Implement :meth:`replay`, for traces that have been checked.

        Args:
            hr: HR batch, shape (B, C, H, W).
            traces: One trace per image, of this type, geometry and size.

        Returns:
            The LR batch.
        """
        raise NotImplementedError

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Sample and replay.

        Args:
            hr: HR batch, shape (B, C, H, W).
            seeds: One seed per image; ``None`` draws them from torch's global generator.

        Returns:
            The LR batch.
        """
        if seeds is None:
            seeds = torch.randint(2**62, (hr.shape[0],)).tolist()
        return self.replay(hr, self.sample(hr, seeds))

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the conditions that a non-blind network takes, read from a trace.

        Args:
            trace: The trace of one image.

        Returns:
            For instance ``{"noise_level": sigma in [0, 1]}``; empty by default.
        """
        return {}

    def kernels_at(self, hr: Tensor, points: Sequence[tuple[int, int]]) -> Tensor:
        """Return the kernels applied at given LR pixels.

        Args:
            hr: One HR image, shape (1, C, H, W).
            points: (row, column) of LR pixels.

        Returns:
            Correlation kernels, shape (P, k, k); the window of LR pixel i starts at HR pixel
            ``stride * i + floor((stride - k) / 2)``.

        Raises:
            NotImplementedError: If this degradation is not a field of kernels.
        """
        raise NotImplementedError(f"{type(self).__name__} is not a field of kernels")

    def check_input(self, hr: Tensor) -> None:
        """Check that this degradation can take a batch.

        Args:
            hr: HR batch, shape (B, C, H, W) with C = 1 or 3.

        Raises:
            DataError: If it is not a batch of grey or RGB images in [0, 1].
            GeometryError: If the size is not divisible by the scale.
        """
        name = type(self).__name__
        if hr.ndim != 4 or hr.shape[1] not in (1, 3):
            raise DataError(
                f"{name} takes (B, C, H, W) with C = 1 or 3, got shape {tuple(hr.shape)}."
            )
        height, width = hr.shape[2:]
        if not hr.is_floating_point():
            raise DataError(
                f"{name} takes floating-point images in [0, 1], got {hr.dtype}: divide by 255 (or"
                " 65535) first."
            )
        if height == 0 or width == 0:
            raise DataError(f"{name} got an image without pixels: {height} x {width}.")
        self._check_range(hr)
        if not divides(height, self.stride) or not divides(width, self.stride):
            raise GeometryError(
                f"{name} with scale {self.scale} cannot take an HR image of {height} x {width}: it"
                f" is not divisible by {self.scale}. Crop it first."
            )

    def check_seeds(self, hr: Tensor, seeds: Sequence[int]) -> None:
        """Raise DataError unless there is one seed per image."""
        if len(seeds) != hr.shape[0]:
            raise DataError(f"{len(seeds)} seeds were given for a batch of {hr.shape[0]} images.")

    def _check_range(self, hr: Tensor) -> None:
        """Refuse 8- or 16-bit values that were not rescaled; overshoot and noise may pass."""
        if not hr.numel() or torch.compiler.is_compiling():
            return
        if hr.device.type != "cpu":
            # Reading values makes the CPU wait for the device: once is enough.
            if self._range_seen:
                return
            self._range_seen = True
        low, high = (float(value) for value in hr.detach().aminmax())
        if not -_LARGEST_VALUE <= low <= high <= _LARGEST_VALUE:
            raise DataError(
                f"{type(self).__name__} takes images in [0, 1], found values from {low:g} to"
                f" {high:g}: divide by 255 (or 65535) first; if NaN is shown, find its source."
            )

    def check_traces(self, hr: Tensor, traces: Sequence[Trace]) -> None:
        """Check that traces belong to this degradation and batch.

        Args:
            hr: HR batch, shape (B, C, H, W).
            traces: One trace per image.

        Raises:
            DataError: If the number, type, image size, geometry or weights differ.
        """
        self.check_input(hr)
        name = type(self).__name__
        if len(traces) != hr.shape[0]:
            raise DataError(f"{len(traces)} traces were given for a batch of {hr.shape[0]}.")
        expected = self.trace_params() if traces else {}
        for trace in traces:
            if trace.type != name:
                raise DataError(f"a trace of {trace.type} cannot be replayed by {name}.")
            if trace.size[1:] != tuple(hr.shape[2:]):
                raise DataError(
                    f"a trace for {trace.size[1]} x {trace.size[2]} pixels cannot be replayed on"
                    f" an image of {hr.shape[2]} x {hr.shape[3]}."
                )
            for key, value in expected.items():
                found = trace.params.get(key)
                # By type first: an array, which any trace may hold, compares element by element.
                if type(found) is not type(value) or found != value:
                    raise DataError(
                        f"a trace of {name} says {key} = {found!r:.60}, this object has {value!r}."
                    )

    def hash(self) -> str:
        """Return 16 hexadecimal digits that identify type, arguments and weights."""
        # A frozen degradation is hashed once, when its weights are loaded.
        if self._pretrained_hash is not None and not self._weights_may_change():
            return self._pretrained_hash
        return component_hash(type(self).__name__, self.arguments, self.state_dict())

    def _weights_may_change(self) -> bool:
        return self.training or any(p.requires_grad for p in self.parameters())

    def mark_trained(self) -> None:
        """Mark the weights as learned; called after fitting or loading."""
        self._pretrained_hash = component_hash(
            type(self).__name__, self.arguments, self.state_dict()
        )

    def changed(self: Self, numbers: Mapping[str, Any]) -> Self:
        """Return this degradation with other numbers; this object stays unchanged.

        It is built anew from its arguments. Parts without changes are shared with this object.

        Args:
            numbers: The new numbers by their path in the arguments: ``"sigma"``, ``"sigma.0"`` for
                the lower end of a range, ``"parts.1.sigma"`` for a part. They are rounded where the
                argument is annotated as a whole number.

        Raises:
            ConfigError: If it has no such number, or cannot have the value.
        """
        made: Self = rebuilt(self, numbers)
        return made

    def rebuild(self: Self, arguments: Mapping[str, Any]) -> Self:
        """Build an object of this class for :meth:`changed`, which may share tensors with this one.

        Args:
            arguments: The arguments, with the built parts where degradations are taken.
        """
        return type(self)(**arguments)

    def save(self, path: Any, meta: Mapping[str, Any] | None = None) -> str:
        """Write a self-describing file, which alone rebuilds the degradation.

        Args:
            path: The ``.safetensors`` file.
            meta: Notes as plain data.

        Returns:
            The hash of the weights.

        Raises:
            OutputError: If the file cannot be written.
        """
        return save_component(
            path,
            self,
            kind="degradation",
            type=type(self).__name__,
            arguments=self.arguments,
            meta=meta,
        )

    def describe(self) -> str:
        """Return a one-line description."""
        if self.scale == 1:
            return f"{type(self).__name__}, no resolution lost"
        grid = "on the HR grid" if self.same_size else f"{self.scale} times smaller"
        return f"{type(self).__name__} x{self.scale}, LR {grid}"


DegradationLike: TypeAlias = Annotated[
    Degradation | Mapping[str, Any] | str | os.PathLike[str], Component("degradation")
]
"""A degradation, its config, its registered name or the path of a self-describing file."""
