"""Degradations that are a drawn list of steps: one engine for every hand-made recipe.

A recipe draws, for each image, a list of plain records (``{"op": "jpeg", "quality": 71}``). The
list is the trace; one table of step functions carries it out. Images of a batch go their own ways
in sizes and order, so they are taken one at a time.
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
from realdeg.degradations.containers import spelled_out
from realdeg.degradations.steps import Size, run_step, step_fields
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.errors import ConfigError, DataError
from realdeg.utils.streams import stream_seed

# No preset enlarges a side more than four times (BSRGAN+: twice by two).
_LARGEST_GROWTH = 4
_MOST_STEPS = 64
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class _Steps(TraceParams):
    """What a pipeline draws: a list of records, each checked when its step is carried out."""

    steps: object


@dataclass(frozen=True)
class PartStep(TraceParams):
    """The record of a step that is a whole degradation.

    Args:
        part: The name it was given.
        size: (height, width) of the image by then.
    """

    part: str
    size: Size


class StepList:
    """Records in the making, with the size that the image has by then.

    Args:
        rng: Source of the seeds of noise fields.
        height: Rows of the HR image.
        width: Its columns.
    """

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.records: list[dict[str, Any]] = []
        self._rng = rng

    def add(self, op: str, **fields: Any) -> None:
        """Append a step that leaves the size alone.

        Args:
            op: Its name.
            **fields: Its record.
        """
        self.records.append({"op": op, **fields})

    def add_noise(self, op: str, **fields: Any) -> None:
        """Append a step that adds a random field, with a seed of its own.

        Args:
            op: Its name.
            **fields: The rest of its record.
        """
        self.add(op, **fields, noise_seed=int(self._rng.integers(_LARGEST_SEED)))

    def add_part(self, name: str) -> None:
        """Append a whole degradation that the pipeline was built with.

        Args:
            name: The name it was given.
        """
        self.add("part", part=name, size=[self.height, self.width])

    def resize(self, size: tuple[int, int], mode: str, clip: bool = False) -> None:
        """Append a resampling.

        Args:
            size: (height, width) wanted; a side is at least one pixel.
            mode: Name of the method, one of the resampling primitive's.
            clip: Whether to cut the result to [0, 1].
        """
        self.height, self.width = max(size[0], 1), max(size[1], 1)
        fields = {"clip": True} if clip else {}
        self.add("resize", size=[self.height, self.width], mode=mode, **fields)

    def thin_out(self, op: str, scale: int, **fields: Any) -> None:
        """Append a step that keeps every ``scale``-th pixel.

        Args:
            op: Its name.
            scale: Pixels per kept pixel.
            **fields: The rest of its record.
        """
        self.height, self.width = -(-self.height // scale), -(-self.width // scale)
        self.add(op, scale=scale, **fields)


class PipelineDegradation(Degradation):
    """A degradation whose trace is a list of steps; subclasses draw that list.

    Args:
        scale: How much resolution is lost.
        same_size: Whether the result is enlarged to the HR grid again, by bicubic interpolation,
            and cut to [0, 1].
        parts: Whole degradations that the list may name, built through the registry with scale
            1; ``None`` values are left out.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If a part does not leave the grid alone.
    """

    differentiable: ClassVar[bool] = False

    reach: ClassVar[int] = 0
    """Pixels at each rim of the small image that the padding of its filters influences."""

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
                raise ConfigError(f"{type(self).__name__}: {name} shrinks the image, give scale 1.")
            self.parts[name] = part

    @property
    def needs_rgb(self) -> bool:
        """Always: cameras and codecs work on colour, and differ from channel to channel."""
        return True

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, parts spelled out: no part depends on another file."""
        parts = self._named_parts().items()
        return {**super().arguments, **{name: spelled_out(part) for name, part in parts}}

    @property
    def is_trained(self) -> bool:
        """Whether no part still has to be learned."""
        return all(part.is_trained for part in self._named_parts().values())

    def mark_trained(self) -> None:
        """Note that the weights of every part are learned ones."""
        for part in self._named_parts().values():
            part.mark_trained()
        super().mark_trained()

    @property
    def border(self) -> int:
        """LR pixels at each rim that the padding of any filter may influence."""
        return enlarged_border(self.reach, self.scale) if self.same_size else self.reach

    def small_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the size that the steps end with.

        Args:
            height: Rows of the HR image.
            width: Its columns.

        Returns:
            (height, width), a scale-th of HR; rounded up, which only an image on the HR grid
            (``same_size``) can need.
        """
        return -(-height // self.scale), -(-width // self.scale)

    def plan(self, rng: np.random.Generator, size: tuple[int, int, int]) -> list[dict[str, Any]]:
        """Draw the steps of one image.

        Args:
            rng: The image's random numbers.
            size: (channels, height, width) of the HR image.

        Returns:
            Plain records; after the last the image has :meth:`small_size`.
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

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Carry out each image's steps."""
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
                f"a trace of {name} has {len(steps)} steps, at most {_MOST_STEPS} are carried out:"
                " it is damaged or hostile."
            )
        largest = (_LARGEST_GROWTH * height + 16, _LARGEST_GROWTH * width + 16)
        parts = iter(trace.parts)
        untouched = x
        for index, fields in enumerate(steps):
            if not isinstance(fields, Mapping):
                raise DataError(f"step {index} in a trace of {name} is no record: {fields!r:.60}.")
            where = f"step {index} ({fields.get('op')!s:.40}) in the trace of {name}"
            if fields.get("op") == "part":
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
        if self.same_size and self.scale > 1:
            x = enlarge_bicubic(x, self.scale, (height, width)).clamp(0, 1)
        # The caller owns the result: an empty list of steps must not hand out the HR image.
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
