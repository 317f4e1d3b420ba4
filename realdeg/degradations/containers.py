"""Degradations made of degradations, which the registry builds: third-party parts work, too."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeAlias

import torch
from annotated_types import MinLen
from torch import Tensor, nn

from realdeg.degradations.base import Degradation, DegradationLike, Scale
from realdeg.degradations.build import degradation_from_config
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.files import names_a_file
from realdeg.utils.place import Place
from realdeg.utils.streams import stream_seed

Parts: TypeAlias = Annotated[Sequence[DegradationLike], MinLen(1)]
"""The parts of a container, at least one."""

Step: TypeAlias = tuple[int, Degradation]
"""A part and, before it, the number that names its random stream."""


class Container(Degradation):
    """Applies some of its parts in some order.

    For each image a container draws one small value, its decision: the order of the parts, the
    chosen one, the number of repetitions. A subclass draws it (:meth:`decide`), lists the resulting
    parts (:meth:`steps`), writes it into the trace (:meth:`note`) and reads it back (:meth:`read`).
    A trace holds the traces of the applied parts, in their order.

    Args:
        parts: The built parts; the state dict includes those of learned parts.
        scale: Total downscaling factor.
        same_size: Whether LR lies on the HR grid.

    Raises:
        ConfigError: If there are no parts.
    """

    unstated = ()

    def __init__(self, parts: Sequence[Degradation], scale: int, same_size: bool) -> None:
        super().__init__(scale, same_size)
        self.parts = nn.ModuleList(parts)
        # A container is differentiable if all of its parts are.
        self.differentiable = all(part.differentiable for part in parts)  # type: ignore[misc]

    @abstractmethod
    def decide(self, seed: int) -> Any:
        """Draw this container's decision, a hashable value, from an image's seed."""

    @abstractmethod
    def steps(self, decision: Any) -> list[Step]:
        """Return the parts to apply, in order, each with the number of its random stream."""

    def note(self, decision: Any) -> dict[str, Any]:
        """Return the decision as plain data for the trace."""
        return {}

    def read(self, trace: Trace) -> Any:
        """Return the decision recorded in a trace, which may come from an untrusted source.

        Args:
            trace: A trace of this container.

        Returns:
            The decision.

        Raises:
            DataError: If it is missing, or this container cannot have drawn it.
        """
        return ()

    @classmethod
    def leaves_grid(cls, cfg: Mapping[str, Any]) -> bool:
        """Return whether the configured container keeps the grid as a part of another one."""
        parts = cfg["parts"] if "parts" in cfg else [cfg.get("part")]
        return bool(parts) and all(leaves_grid(part) for part in parts)

    def members(self) -> list[Degradation]:
        """Return the parts."""
        return list(self.parts)  # type: ignore[arg-type]

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, parts as configs: none depends on another file."""
        return {**super().arguments, "parts": [spelled_out(part) for part in self.members()]}

    def mark_trained(self) -> None:
        """Mark the weights of every part as learned."""
        for part in self.members():
            part.mark_trained()
        super().mark_trained()

    @property
    def is_trained(self) -> bool:
        """Whether every part is trained."""
        return all(part.is_trained for part in self.members())

    @property
    def needs_rgb(self) -> bool:
        """Whether any part needs RGB."""
        return any(part.needs_rgb for part in self.members())

    @property
    def uses_place(self) -> bool:
        """Whether any part depends on where an image lies in its photo."""
        return any(part.uses_place for part in self.members())

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the container's decision, and each part's from its own random stream."""
        decision = self.decide(seed)
        traces, current = [], size
        for number, part in self.steps(decision):
            traces.append(part.sample_one(current, _part_seed(seed, number)))
            current = (current[0], current[1] // part.stride, current[2] // part.stride)
        params = {**self.trace_params(), **self.note(decision)}
        return Trace(type(self).__name__, params, size, tuple(traces))

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Apply the parts that the traces name."""

        def run(decision: Any, images: Tensor, members: list[int]) -> Tensor:
            for index, (_, part) in enumerate(self.steps(decision)):
                images = part.replay(images, [traces[i].parts[index] for i in members])
            return images

        return self._in_groups(hr, [self._decision_in(trace) for trace in traces], run)

    def _decision_in(self, trace: Trace) -> Any:
        decision = self.read(trace)
        wanted = len(self.steps(decision))
        if len(trace.parts) != wanted:
            raise DataError(
                f"a trace of {type(self).__name__} has {len(trace.parts)} parts, this object"
                f" applies {wanted}."
            )
        return decision

    def placed(self, trace: Trace, place: Place | None) -> Trace:
        """Return a trace whose parts know where their image lies in the photo."""
        parts = [part for _, part in self.steps(self._decision_in(trace))]
        return placed_parts(trace, parts, place)

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Sample and apply without building traces."""
        if seeds is None or self.uses_place:
            return super().forward(hr, seeds)
        self.check_input(hr)
        self.check_seeds(hr, seeds)

        def run(decision: Any, images: Tensor, members: list[int]) -> Tensor:
            for number, part in self.steps(decision):
                images = part(images, [_part_seed(seeds[i], number) for i in members])
            return images

        return self._in_groups(hr, [self.decide(int(seed)) for seed in seeds], run)

    def _in_groups(
        self, hr: Tensor, decisions: Sequence[Any], run: Callable[[Any, Tensor, list[int]], Tensor]
    ) -> Tensor:
        """Run images of the same decision together, and put the results back in order."""
        groups: dict[Any, list[int]] = {}
        for index, decision in enumerate(decisions):
            groups.setdefault(decision, []).append(index)
        if not groups:
            return run(self.decide(0), hr, [])  # an empty batch still has a shape
        if len(groups) == 1:
            (decision,) = groups
            return run(decision, hr, groups[decision])
        pieces = [run(decision, hr[members], members) for decision, members in groups.items()]
        places = torch.tensor([index for members in groups.values() for index in members])
        return torch.cat(pieces)[places.argsort().to(hr.device)]

    def condition(self, trace: Trace) -> dict[str, Any]:
        """Return the conditions of the applied parts; later parts take precedence.

        ``reduction`` is told only if one part alone says where LR comes from.
        """
        merged: dict[str, Any] = {}
        filters = 0
        steps = self.steps(self._decision_in(trace))
        for (_, part), part_trace in zip(steps, trace.parts, strict=True):
            told = part.condition(part_trace)
            filters += "kernel" in told or "reduction" in told
            merged.update(told)
        if filters > 1:
            merged.pop("reduction", None)
        return merged

    def excess(self, part: Degradation) -> float:
        """Return the shift of a part's LR grid against the usual one, in pixels of its input."""
        return part.offset - (part.stride - 1) / 2

    def check_strides(self, parts: Sequence[Degradation]) -> None:
        """Check that the strides of parts applied in sequence multiply to the container's.

        Raises:
            ConfigError: If they do not.
        """
        strides = 1
        for part in parts:
            strides *= part.stride
        if strides != self.stride:
            each = ", ".join(f"{type(part).__name__} {part.stride}" for part in parts)
            raise ConfigError(
                f"the parts of {type(self).__name__} shrink {strides} times in all ({each}), wanted"
                f" {self.stride}."
            )


@DEGRADATIONS.register_module()
class Compose(Container):
    """Applies its parts one after another.

    Exactly one part reduces resolution. The first that does not keep the grid gets the container's
    ``scale`` and ``same_size``, the others get scale 1. A part may state its own.

    Args:
        parts: Configs, paths of self-describing files, or degradations.
        scale: Total downscaling factor.
        same_size: Whether LR lies on the HR grid.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If there are no parts, or their scales do not multiply to ``scale``.
    """

    def __init__(self, parts: Parts, scale: Scale = 4, same_size: bool = False) -> None:
        super().__init__(build_chain(parts, scale, same_size), scale, same_size)
        self.check_strides(self.members())

    def decide(self, seed: int) -> Any:
        """Return the empty decision: all parts are applied in the given order."""
        return ()

    def steps(self, decision: Any) -> list[Step]:
        """Return all parts."""
        return list(enumerate(self.members()))

    @property
    def offset(self) -> float:
        """HR coordinate at which LR pixel 0 is centred, from all parts."""
        return chained_offset(self.members())

    @property
    def border(self) -> int:
        """LR pixels at each border that the padding of any part influences."""
        total, remaining = 0, self.stride
        for part in self.members():
            remaining //= part.stride
            total += -(-part.border // max(remaining, 1))
        return total

    def describe(self) -> str:
        """Return a one-line description of the parts."""
        return " > ".join(part.describe() for part in self.members())


def chained_offset(parts: Iterable[Degradation]) -> float:
    """Return where LR pixel 0 is centred after parts applied one after another, in HR pixels."""
    total, pixel = 0.0, 1
    for part in parts:
        total += pixel * part.offset
        pixel *= part.stride
    return total


def _part_seed(seed: int, number: int) -> int:
    return stream_seed(int(seed), number, "part")


def spelled_out(part: Degradation) -> dict[str, Any]:
    """Return the config that rebuilds a part."""
    return {"type": type(part).__name__, **part.arguments}


def placed_parts(trace: Trace, parts: Sequence[Degradation], place: Place | None) -> Trace:
    """Return a trace in which each part that uses its image's place is told it.

    Args:
        trace: The trace of what has the parts.
        parts: Those that the parts of the trace belong to.
        place: Where the whole's HR image lies in its photo.
    """
    told = []
    for part, its_trace in zip(parts, trace.parts, strict=True):
        if part.uses_place:
            height, width = its_trace.size[1:]
            its_place = None if place is None else place.resized(height, width)
            its_trace = part.placed(its_trace, its_place)
        told.append(its_trace)
    return replace(trace, parts=tuple(told))


def build_part(part: DegradationLike, scale: int, same_size: bool) -> Degradation:
    """Build a part that applies a container's whole downscaling.

    Args:
        part: A config, a path, a name or a degradation. One that states its own scale keeps it.
        scale: The container's.
        same_size: The container's.

    Returns:
        The part.

    Raises:
        GeometryError: If a file or a given degradation has another geometry.
    """
    if states_scale(part):
        return degradation_from_config(part)
    return degradation_from_config(part, scale=scale, same_size=same_size)


def build_chain(parts: Sequence[DegradationLike], scale: int, same_size: bool) -> list[Degradation]:
    """Build parts of which one reduces resolution and the others keep the grid.

    Args:
        parts: Configs, paths, names or degradations.
        scale: Total downscaling factor.
        same_size: Whether LR lies on the HR grid.

    Returns:
        The parts. Unless a part states its scale, the first that does not keep the grid (or else
        the first of all) gets ``scale``, the others scale 1.

    Raises:
        ConfigError: If a part is unknown.
    """
    own = [states_scale(part) for part in parts]
    shrinking = None
    # A degradation passed in at scale 1 leaves the downscaling to another part.
    if not any(isinstance(part, Mapping) and "scale" in part for part in parts) and not any(
        isinstance(part, Degradation) and part.scale > 1 for part in parts
    ):
        free = [index for index, stated in enumerate(own) if not stated]
        shrinking = next((i for i in free if not leaves_grid(parts[i])), None)
        if shrinking is None and free:
            shrinking = free[0]
    built = []
    for index, part in enumerate(parts):
        if own[index]:
            built.append(degradation_from_config(part))
        elif index == shrinking:
            built.append(degradation_from_config(part, scale=scale, same_size=same_size))
        else:
            built.append(degradation_from_config(part, scale=1, same_size=False))
    return built


def states_scale(part: DegradationLike) -> bool:
    """Return whether a part states its scale: a degradation, or a config with ``scale``."""
    return isinstance(part, Degradation) or (isinstance(part, Mapping) and "scale" in part)


def is_file(part: DegradationLike) -> bool:
    """Return whether a part is a self-describing file, given as a path or a checkpoint."""
    if isinstance(part, Mapping):
        return "checkpoint" in part
    return isinstance(part, str) and names_a_file(part)


def leaves_grid(part: DegradationLike | None) -> bool:
    """Return whether a part keeps the grid, such as noise or a chain of such parts."""
    if isinstance(part, Degradation):
        if isinstance(part, Container):
            return all(leaves_grid(member) for member in part.members())
        return part.same_grid_part
    if isinstance(part, str) and not is_file(part):
        part = {"type": part}
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        return False
    found = DEGRADATIONS.require(part["type"])
    if isinstance(found, type) and issubclass(found, Container):
        return found.leaves_grid(part)
    return bool(getattr(found, "same_grid_part", False))
