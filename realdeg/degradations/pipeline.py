"""Degradations as a drawn list of steps: one engine for every hand-made pipeline.

A pipeline draws, for each image, a list of plain records (``{"op": "jpeg", "quality": 71}``). The
list is the trace, and one table of step functions applies it. Images of a batch differ in sizes and
order of steps, so they are processed one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from realdeg.degradations.base import Degradation, DegradationLike, Scale
from realdeg.degradations.bicubic import enlarge_bicubic, enlarged_border
from realdeg.degradations.build import degradation_from_config
from realdeg.degradations.containers import placed_parts, spelled_out
from realdeg.degradations.steps import Size, run_step, step_fields
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.errors import ConfigError, DataError
from realdeg.utils.place import Place
from realdeg.utils.streams import stream_seed

# No preset upsamples a side more than four times (BSRGAN+: twice by two).
_LARGEST_GROWTH = 4
_MOST_STEPS = 64
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class _Steps(TraceParams):
    """A list of records, each checked when its step is applied."""

    steps: object


@dataclass(frozen=True)
class PartStep(TraceParams):
    """The record of a step that is a whole degradation.

    Args:
        part: Its name in the pipeline.
        size: (height, width) of its input.
    """

    part: str
    size: Size


class StepList:
    """Builds the records of one image, tracking its size.

    Args:
        rng: Draws the seeds of noise fields.
        height: Rows of the HR image.
        width: Columns of the HR image.
    """

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.records: list[dict[str, Any]] = []
        self._rng = rng

    def add(self, op: str, **fields: Any) -> None:
        """Append a step that keeps the size, with the fields of its record."""
        self.records.append({"op": op, **fields})

    def add_noise(self, op: str, **fields: Any) -> None:
        """Append a step that adds a random field, with a newly drawn seed."""
        self.add(op, **fields, noise_seed=int(self._rng.integers(_LARGEST_SEED)))

    def add_part(self, name: str) -> None:
        """Append one of the pipeline's parts, a whole degradation."""
        self.add("part", part=name, size=[self.height, self.width])

    def resize(self, size: tuple[int, int], mode: str, clip: bool = False) -> None:
        """Append a resampling.

        Args:
            size: New (height, width); 0 is raised to one pixel.
            mode: A mode of the ``resample`` primitive.
            clip: Whether to clip the result to [0, 1].
        """
        self.height, self.width = max(size[0], 1), max(size[1], 1)
        fields = {"clip": True} if clip else {}
        self.add("resize", size=[self.height, self.width], mode=mode, **fields)

    def subsample(self, op: str, scale: int, **fields: Any) -> None:
        """Append a step that keeps every ``scale``-th pixel."""
        self.height, self.width = -(-self.height // scale), -(-self.width // scale)
        self.add(op, scale=scale, **fields)


class PipelineDegradation(Degradation):
    """A degradation whose trace is a list of steps; subclasses draw that list.

    Args:
        scale: Downscaling factor.
        same_size: Whether the result is upsampled back to the HR grid, by bicubic interpolation,
            and clipped to [0, 1].
        parts: Whole degradations that the list may refer to, built by the registry with scale 1;
            ``None`` values are omitted.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If a part does not keep the grid.
    """

    differentiable: ClassVar[bool] = False

    enlarges: ClassVar[bool] = True
    """Whether an image on the HR grid is enlarged after the steps; otherwise they end there."""

    reach: ClassVar[int] = 0
    """Pixels at each border of the LR image that the padding of filters affects."""

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        parts: Mapping[str, DegradationLike | None] | None = None,
    ) -> None:
        super().__init__(scale, same_size)
        self.parts = nn.ModuleDict()
        for name, cfg in (parts or {}).items():
            if cfg is None:
                continue
            part = degradation_from_config(cfg, scale=1, same_size=False)
            if part.stride != 1:
                raise ConfigError(f"{type(self).__name__}: {name} shrinks the image: give scale 1.")
            self.parts[name] = part

    @property
    def needs_rgb(self) -> bool:
        """Always: cameras and codecs work on colour."""
        return True

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, parts as configs: none depends on another file."""
        parts = self._named_parts().items()
        return {**super().arguments, **{name: spelled_out(part) for name, part in parts}}

    @property
    def uses_place(self) -> bool:
        """Whether any part depends on where an image lies in its photo."""
        return any(part.uses_place for part in self._named_parts().values())

    @property
    def is_trained(self) -> bool:
        """Whether every part is trained."""
        return all(part.is_trained for part in self._named_parts().values())

    def mark_trained(self) -> None:
        """Mark the weights of every part as learned."""
        for part in self._named_parts().values():
            part.mark_trained()
        super().mark_trained()

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding of any filter may influence."""
        return enlarged_border(self.reach, self.scale) if self.same_size else self.reach

    def small_size(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) of the LR image, rounded up.

        Only an image on the HR grid (``same_size``) can need the rounding. Where nothing is
        enlarged afterwards, that image has the size of HR.
        """
        if self.same_size and not self.enlarges:
            return height, width
        return -(-height // self.scale), -(-width // self.scale)

    def plan(self, rng: np.random.Generator, size: tuple[int, int, int]) -> list[dict[str, Any]]:
        """Draw the steps of one image.

        Args:
            rng: The image's random generator.
            size: (channels, height, width) of the HR image.

        Returns:
            Plain records; after the last step the image has :meth:`small_size`.
        """
        raise NotImplementedError

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the steps, and the decisions of the parts among them."""
        steps = self.plan(np.random.default_rng(stream_seed(seed, "plan")), size)
        parts = []
        for index, step in enumerate(steps):
            if step["op"] == "part":
                part: Degradation = self.parts[step["part"]]  # type: ignore[assignment]
                inner = (size[0], *step["size"])
                parts.append(part.sample_one(inner, stream_seed(seed, index, "part")))
        params = {**self.trace_params(), "steps": steps}
        return Trace(type(self).__name__, params, size, tuple(parts))

    def placed(self, trace: Trace, place: Place | None) -> Trace:
        """Return a trace whose parts know where their image lies in the photo."""
        known = self._named_parts()
        used = [known[step["part"]] for step in trace.params["steps"] if step["op"] == "part"]
        return placed_parts(trace, used, place)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Apply each image's steps."""
        with nullcontext() if self.differentiable else torch.no_grad():
            images = [
                self._degrade_image(hr[index : index + 1].float(), trace)
                for index, trace in enumerate(traces)
            ]
        height, width = hr.shape[2:]
        if not images:
            return hr.new_zeros(0, hr.shape[1], height // self.stride, width // self.stride)
        return images[0] if len(images) == 1 else torch.cat(images)

    def _degrade_image(self, x: Tensor, trace: Trace) -> Tensor:
        name = type(self).__name__
        height, width = int(x.shape[2]), int(x.shape[3])
        steps = trace.read(_Steps).steps
        if not isinstance(steps, list | tuple):
            raise DataError(f"the trace of {name}: 'steps' is {steps!r:.60}, wanted a list.")
        if len(steps) > _MOST_STEPS:
            raise DataError(
                f"a trace of {name} has {len(steps)} steps, at most {_MOST_STEPS} are allowed:"
                " it is damaged."
            )
        largest = (_LARGEST_GROWTH * height + 16, _LARGEST_GROWTH * width + 16)
        parts = iter(trace.parts)
        untouched = x
        for index, fields in enumerate(steps):
            if not isinstance(fields, Mapping):
                raise DataError(
                    f"step {index} in a trace of {name} is not a record: {fields!r:.60}."
                )
            op = fields.get("op")
            where = f"step {index} ({op!s:.40}) in the trace of {name}"
            if isinstance(op, str) and op == "part":  # an array compares element by element
                part = PartStep(**step_fields(PartStep, fields, where, largest))
                x = self._run_part(x, part.part, where, next(parts, None))
            else:
                x = run_step(x, fields, where, largest)
        small = self.small_size(height, width)
        if tuple(x.shape[2:]) != small:
            raise DataError(
                f"the steps in a trace of {name} end with {x.shape[2]} x {x.shape[3]} pixels,"
                f" scale {self.scale} asks for {small[0]} x {small[1]}: the trace is damaged."
            )
        if self.same_size and self.scale > 1 and self.enlarges:
            x = enlarge_bicubic(x, self.scale, (height, width)).clamp(0, 1)
        # The caller owns the result: an empty list of steps must not return the HR image itself.
        return x.clone() if x is untouched else x

    def _run_part(self, x: Tensor, name: str, where: str, trace: Trace | None) -> Tensor:
        known = self._named_parts()
        if name not in known:
            raise DataError(
                f"{where}: this object was built without such a part; it has"
                f" {', '.join(known) or 'none'}."
            )
        if trace is None:
            raise DataError(f"{where}: the part's own trace is missing.")
        return known[name].replay(x, [trace])

    def _named_parts(self) -> dict[str, Degradation]:
        return dict(self.parts.items())  # type: ignore[arg-type]
