"""Degradations made of degradations, built through the registry so that strangers' parts work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from realdeg.degradations.base import Degradation
from realdeg.degradations.build import build_degradation
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.streams import stream_seed


@DEGRADATIONS.register_module()
class Compose(Degradation):
    """Applies its parts one after another.

    Exactly one part loses resolution: the first that does not leave the grid alone gets the
    container's ``scale`` and ``same_size``, the others get scale 1. A part may state its own.

    Args:
        parts: Configs, paths of self-describing files, or degradations.
        scale: How much resolution is lost in all.
        same_size: Whether LR lies on the HR grid.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If there are no parts, or their scales do not multiply to ``scale``.
    """

    def __init__(
        self,
        parts: Sequence[Mapping[str, Any] | str | Degradation],
        scale: int = 4,
        same_size: bool = False,
    ) -> None:
        super().__init__(scale, same_size)
        if not parts:
            raise ConfigError("Compose needs at least one part.")
        self.parts = nn.ModuleList(_build_parts(parts, scale, same_size))
        strides = 1
        for part in self._parts():
            strides *= part.stride
        if strides != self.stride:
            each = ", ".join(f"{type(part).__name__} {part.stride}" for part in self._parts())
            raise ConfigError(
                f"the parts of Compose shrink {strides} times in all ({each}), wanted"
                f" {self.stride}."
            )

    def _parts(self) -> list[Degradation]:
        return list(self.parts)  # type: ignore[arg-type]

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, parts spelled out: no part depends on another file."""
        parts = [{"type": type(part).__name__, **part.arguments} for part in self._parts()]
        return {"parts": parts, "scale": self.scale, "same_size": self.same_size}

    def mark_trained(self) -> None:
        """Note that the weights of every part are learned ones."""
        for part in self._parts():
            part.mark_trained()
        super().mark_trained()

    @property
    def is_trained(self) -> bool:
        """Whether no part still has to be learned."""
        return all(part.is_trained for part in self._parts())

    @property
    def border(self) -> int:
        """LR pixels at each rim that the padding of any part influences."""
        total, remaining = 0, self.stride
        for part in self._parts():
            remaining //= part.stride
            total += -(-part.border // max(remaining, 1))
        return total

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw each part's decisions from a stream of its own."""
        traces, current = [], size
        for index, part in enumerate(self._parts()):
            traces.append(part.sample_one(current, _part_seed(seed, index)))
            current = (current[0], current[1] // part.stride, current[2] // part.stride)
        return Trace("Compose", self.trace_params(), size, tuple(traces))

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Apply the parts in order."""
        parts = self._parts()
        for trace in traces:
            if len(trace.parts) != len(parts):
                raise DataError(
                    f"a trace of Compose has {len(trace.parts)} parts, this object {len(parts)}."
                )
        lr = hr
        for index, part in enumerate(parts):
            lr = part.apply(lr, [trace.parts[index] for trace in traces])
        return lr

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Run the parts in order; equal to sample and apply."""
        if seeds is None:
            return super().forward(hr)
        self.check_input(hr)
        lr = hr
        for index, part in enumerate(self._parts()):
            lr = part(lr, [_part_seed(seed, index) for seed in seeds])
        return lr

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the parts' conditions together; later parts win."""
        merged: dict[str, Any] = {}
        for part, part_trace in zip(self._parts(), trace.parts, strict=True):
            merged.update(part.condition(part_trace))
        return merged

    def describe(self) -> str:
        """Return one line that names the parts."""
        return " > ".join(part.describe() for part in self._parts())


def _part_seed(seed: int, index: int) -> int:
    return stream_seed(int(seed), index, "part")


def _build_parts(
    parts: Sequence[Mapping[str, Any] | str | Degradation], scale: int, same_size: bool
) -> list[Degradation]:
    built: list[Degradation] = []
    shrinks = any(isinstance(part, Mapping) and "scale" in part for part in parts)
    for part in parts:
        stated = isinstance(part, Degradation) or (isinstance(part, Mapping) and "scale" in part)
        takes_scale = not shrinks and not stated and not _leaves_grid(part)
        if isinstance(part, Degradation):
            built.append(part)
            shrinks = shrinks or part.scale > 1
        elif stated:
            built.append(build_degradation(part))
        elif takes_scale:
            built.append(build_degradation(part, scale=scale, same_size=same_size))
            shrinks = True
        else:
            built.append(build_degradation(part, scale=1, same_size=False))
    if not shrinks and scale > 1:
        # Only parts that leave the grid alone: the first one shrinks on its own account.
        first = parts[0]
        assert not isinstance(first, Degradation)
        built[0] = build_degradation(first, scale=scale, same_size=same_size)
    return built


def _leaves_grid(part: Mapping[str, Any] | str | Degradation) -> bool:
    if isinstance(part, Mapping) and isinstance(part.get("type"), str):
        return bool(getattr(DEGRADATIONS.require(part["type"]), "same_grid_part", False))
    return isinstance(part, Degradation) and part.same_grid_part
