"""The contract of every degradation: drawing is split from computing.

``sample`` draws every random decision, one trace per image; ``replay`` applies a trace and is
deterministic. The split follows kornia's augmentations.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar, cast, overload

import torch
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.degradations.changing import rebuilt
from realdeg.degradations.checking import ChecksInput
from realdeg.degradations.display import ShowsDegradation
from realdeg.degradations.trace import Trace
from realdeg.errors import GeometryError
from realdeg.utils.annotations import mismatch
from realdeg.utils.argument_types import Component, Geometry
from realdeg.utils.arguments import CapturesArguments
from realdeg.utils.component import component_hash, save_component
from realdeg.utils.deprecation import warn_renamed
from realdeg.utils.place import Place

Scale: TypeAlias = Annotated[int, Interval(ge=1, le=16), Geometry()]
"""A whole number of HR pixels per LR pixel."""
AnyScale: TypeAlias = Annotated[float, Interval(ge=1, le=16), Geometry()]
"""HR pixels per LR pixel, whole or not: for classes with ``any_scale``."""

Self = TypeVar("Self", bound="Degradation")


class Degradation(ShowsDegradation, ChecksInput, CapturesArguments, nn.Module):
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

    @property
    def uses_place(self) -> bool:
        """Whether it depends on where an image lies in its photo; see :meth:`placed`."""
        return False

    def sample(
        self, hr: Tensor, seeds: Sequence[int], places: Sequence[Place | None] | None = None
    ) -> list[Trace]:
        """Draw every random decision.

        Args:
            hr: HR batch, shape (B, C, H, W); its content does not affect the draws.
            seeds: One seed per image.
            places: Where each image lies in its photo, for a degradation that ``uses_place``; None
                where that is not known.

        Returns:
            One trace per image.

        Raises:
            DataError: If there is not one seed per image.
            GeometryError: If the size is not divisible by the scale.
        """
        self.check_input(hr)
        self.check_seeds(hr, seeds)
        size = (int(hr.shape[1]), int(hr.shape[2]), int(hr.shape[3]))
        traces = [self.sample_one(size, int(seed)) for seed in seeds]
        if not self.uses_place:
            return traces
        known = self.check_places(hr, places)
        return [self.placed(trace, place) for trace, place in zip(traces, known, strict=True)]

    def placed(self, trace: Trace, place: Place | None) -> Trace:
        """Return a trace that also tells where its image lies in the photo.

        Args:
            trace: A trace of :meth:`sample_one`, of a class that ``uses_place``.
            place: The place; None if it is not known.

        Raises:
            DataError: If the class needs a place and gets none.
        """
        place_params = {"place": None if place is None else list(place)}
        return replace(trace, params={**trace.params, **place_params})

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

    def forward_at(
        self, hr: Tensor, seeds: Sequence[int], places: Sequence[Place | None] | None
    ) -> Tensor:
        """Degrade images whose places in their photos may be known.

        Args:
            hr: HR batch, shape (B, C, H, W).
            seeds: One seed per image.
            places: As for :meth:`sample`; ignored unless it ``uses_place``.
        """
        if not self.uses_place:
            return self(hr, seeds)
        return self.replay(hr, self.sample(hr, seeds, places))

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
            ``stride * i + floor((stride - k) / 2)``. A class whose channels differ returns the
            kernels of a grey scene's luma, the mean of R, G and B by their weights.

        Raises:
            NotImplementedError: If this degradation is not a field of kernels.
        """
        raise NotImplementedError(f"{type(self).__name__} is not a field of kernels")

    def channel_kernels_at(
        self, hr: Tensor, points: Sequence[tuple[int, int]], place: Place | None = None
    ) -> Tensor:
        """Return the kernels of R, G and B at given LR pixels.

        Args:
            hr: As for :meth:`kernels_at`.
            points: As for :meth:`kernels_at`.
            place: Where the image lies in its photo, for a class that ``uses_place``.

        Returns:
            Shape (P, 3, k, k), in windows as those of :meth:`kernels_at`.
        """
        return self.kernels_at(hr, points)[:, None].expand(-1, 3, -1, -1)

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
