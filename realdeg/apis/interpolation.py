"""Interpolate between two networks of one family."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg.apis.create import Source, create_backbone
from realdeg.apis.run_weights import description_of
from realdeg.backbones.base import Backbone
from realdeg.backbones.build import construct
from realdeg.errors import CheckpointError, ConfigError, OutputError, argument_name
from realdeg.utils.component import (
    component_hash,
    load_state,
    refuse_non_finite,
    save_component,
    state_faults,
    summary,
)
from realdeg.utils.description import read_description
from realdeg.utils.files import check_replaceable, remove_left_overs, weights_in

logger = logging.getLogger(__name__)

RELATED = 0.5
"""Cosine between the kernels of two networks below which they look unrelated.

Networks that were trained from different seeds have about 0, a fine-tuned network and its start
0.9 and more; docs/test_time.md lists what was measured.
"""


@dataclass(frozen=True)
class NetworkDistance:
    """How far apart two networks of one family are.

    Attributes:
        relative: Distance of all kernels over the root mean square of their two norms: 0 for equal
            networks, about 1.4 for unrelated ones.
        cosine: Cosine between all kernels: 1 for equal networks, about 0 for unrelated ones.
        tensors: The relative distance of every tensor of floating-point numbers, by name.
    """

    relative: float
    cosine: float
    tensors: Mapping[str, float]

    @property
    def related(self) -> bool:
        """Whether one network may have been fine-tuned from the other."""
        return self.cosine >= RELATED

    def furthest(self, count: int = 3) -> list[tuple[str, float]]:
        """Return name and distance of the tensors that differ most."""
        return sorted(self.tensors.items(), key=lambda item: (-item[1], item[0]))[:count]


@dataclass(frozen=True)
class InterpolatedNetwork:
    """One file that was written.

    Attributes:
        path: The file.
        alpha: The share of the second network, 0 to 1.
        hash: The hash of its weights.
    """

    path: Path
    alpha: float
    hash: str


@dataclass(frozen=True)
class Interpolation:
    """What :func:`interpolate_networks` wrote.

    Attributes:
        networks: One file for each alpha, in the order given.
        distance: How far apart the two networks are.
    """

    networks: tuple[InterpolatedNetwork, ...]
    distance: NetworkDistance


def interpolate_networks(
    first: Source | Backbone,
    second: Source | Backbone,
    path: str | os.PathLike[str],
    alpha: float | Sequence[float] = 0.8,
    *,
    overwrite: bool = False,
) -> Interpolation:
    """Blend two networks, as ``realdeg interpolate`` does.

    Every tensor of floating-point numbers, running statistics included, becomes
    ``(1 - alpha) * first + alpha * second``, computed in float64. This gives useful networks if one
    of the two was fine-tuned from the other, such as an adversarial network from one that was
    trained with L1.

    Args:
        first: A self-describing file, a run's folder, a training checkpoint, or anything else that
            :func:`realdeg.create_backbone` takes, with weights.
        second: The same for the other end.
        path: The ``.safetensors`` file to write. With several values of alpha, ``net.safetensors``
            becomes ``net_alpha_0.2.safetensors`` and so on.
        alpha: The share of ``second``, from 0 to 1; one number or several.
        overwrite: Replace existing files.

    Returns:
        The files, and how far apart the networks are. A warning is logged if they look unrelated.

    Raises:
        ConfigError: If alpha is out of range, or the networks differ in type or arguments.
        CheckpointError: If weights cannot be read, or the networks differ in tensors or counters.
        OutputError: If a file already exists, or cannot be written.

    Source:
        Wang, Yu, Dong, Tang, Loy, Deep Network Interpolation for Continuous Imagery Effect
        Transition, CVPR 2019; ``net_interp.py`` of xinntao/ESRGAN (alpha 0.8).

    Example:
        >>> import realdeg
        >>> realdeg.interpolate_networks(
        ...     "work_dirs/l1", "work_dirs/gan", "net.safetensors", alpha=[0.2, 0.8]
        ... )  # doctest: +SKIP
    """
    files = _outputs(Path(path), alpha)
    for file, _ in files:
        check_replaceable(file, overwrite)
    remove_left_overs(Path(path).parent)
    ends = _End.read(first, "the first network"), _End.read(second, "the second network")
    _refuse_strangers(*ends)
    states = ends[0].network.state_dict(), ends[1].network.state_dict()
    distance = network_distance(*states)
    if not distance.related:
        logger.warning(
            "the networks look unrelated (cosine %.2f between their kernels, wanted %.1f or more):"
            " neither was fine-tuned from the other, so networks between them will be poor.",
            distance.cosine,
            RELATED,
        )
    written = []
    network = ends[0].network
    for file, share in files:
        network.load_state_dict(blended(*states, share))
        digest = save_component(
            file,
            network,
            kind="backbone",
            type=type(network).__name__,
            arguments=network.arguments,
            meta=_notes(ends, share),
        )
        written.append(InterpolatedNetwork(file, share, digest))
    return Interpolation(tuple(written), distance)


def blended(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """Return ``(1 - alpha) * first + alpha * second`` for every tensor.

    Args:
        first: A state dict.
        second: Another one of the same names and shapes.
        alpha: From 0 to 1. 0 and 1 return the ends bit for bit.

    Returns:
        New tensors of the types of ``first``. Of whole numbers, such as the number of batches that
        batch normalisation has seen, the larger one is kept.
    """
    result = {}
    for name, one in first.items():
        other = second[name].to(one.device)
        if not one.is_floating_point():
            result[name] = torch.maximum(one, other)
        elif alpha in (0, 1):
            result[name] = (other if alpha else one).clone()
        else:
            result[name] = ((1 - alpha) * one.double() + alpha * other.double()).to(one.dtype)
    return result


def network_distance(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> NetworkDistance:
    """Measure how far apart two state dicts of the same names and shapes are, in float64.

    The totals count kernels only (tensors of two axes or more): scales of normalisation layers are
    close to 1 in any network.

    Args:
        first: A state dict.
        second: Another one.
    """
    tensors: dict[str, float] = {}
    squares = torch.zeros(4, dtype=torch.float64)
    for name, one in first.items():
        if not one.is_floating_point():
            continue
        a, b = one.detach().cpu().double(), second[name].detach().cpu().double()
        sums = torch.stack([(a - b).square().sum(), a.square().sum(), b.square().sum()])
        tensors[name] = _relative(sums)
        if one.ndim > 1:
            squares += torch.cat([sums, (a * b).sum()[None]])
    norms = float((squares[1] * squares[2]).sqrt())
    cosine = float(squares[3]) / norms if norms > 0 else 1.0
    return NetworkDistance(_relative(squares[:3]), cosine, tensors)


def _relative(sums: Tensor) -> float:
    """Return a distance over the root mean square of two norms, from squared sums."""
    apart, size = float(sums[0]), float(sums[1] + sums[2]) / 2
    return (apart / size) ** 0.5 if size > 0 else 0.0


@dataclass(frozen=True)
class _End:
    """One of the two networks, and what it states about itself."""

    name: str
    file: str
    network: Backbone
    hash: str
    meta: Mapping[str, Any]

    @classmethod
    def read(cls, source: Source | Backbone, name: str) -> _End:
        file, meta = "", {}
        if isinstance(source, str | os.PathLike):
            found = _weights_at(Path(source))
            if found is not None:
                file, source = found.name, _from_checkpoint(found) or found
                described = read_description(found)
                meta = described.meta if described else {}
        network = create_backbone(source, trained=True)
        kind, state = type(network).__name__, network.state_dict()
        if not state:
            raise ConfigError(f"{name}, {kind}, has no weights: there is nothing to interpolate.")
        refuse_non_finite(state, file or name)
        return cls(name, file, network, component_hash(kind, network.arguments, state), meta)

    def note(self) -> dict[str, Any]:
        return {"hash": self.hash, "file": self.file}


def _weights_at(path: Path) -> Path | None:
    """Return the file of weights that a path names, or None if it names something else."""
    if path.is_file():
        return path if path.suffix in (".safetensors", ".pth", ".pt") else None
    if not path.is_dir():
        return None
    from realdeg.engine.checkpoint import find_checkpoints

    return weights_in(path, "backbone") or next(iter(find_checkpoints(path)), None)


def _from_checkpoint(file: Path) -> Backbone | None:
    """Return the network in a training checkpoint, or None if it is a file of another kind."""
    described = None if file.suffix == ".safetensors" else description_of(file)
    if described is None:
        return None
    kind, type_, arguments = described
    if kind != "backbone":
        raise CheckpointError(f"{file} is a checkpoint of a {kind} ({type_}), wanted a network.")
    from realdeg.engine.checkpoint import read_checkpoint

    prefix = "backbone."
    state = {
        name.removeprefix(prefix): tensor
        for name, tensor in dict(read_checkpoint(file).get("state_dict") or {}).items()
        if str(name).startswith(prefix)
    }
    network = construct(type_, arguments, str(file), state)
    load_state(network, state, str(file))
    return network


def _refuse_strangers(one: _End, other: _End) -> None:
    """Refuse networks that are not of one family."""
    both = "only networks of one family can be interpolated"
    kinds = [type(end.network).__name__ for end in (one, other)]
    if kinds[0] != kinds[1]:
        raise ConfigError(
            f"{one.name} is of type {kinds[0]}, {other.name} of type {kinds[1]}: {both}."
        )
    arguments = one.network.arguments, other.network.arguments
    names = [*arguments[0], *(name for name in arguments[1] if name not in arguments[0])]
    for name in names:
        values = [own.get(name) for own in arguments]
        if values[0] != values[1]:
            raise ConfigError(
                f"{name} of {one.name} is {values[0]!r} and of {other.name} {values[1]!r}: {both}."
            )
    states = one.network.state_dict(), other.network.state_dict()
    faults = state_faults(*states)
    if faults:
        raise CheckpointError(f"{other.name} has other tensors: {summary(faults)}; {both}.")
    for name, tensor in states[0].items():
        counts = name.rpartition(".")[2] == "num_batches_tracked"
        if tensor.is_floating_point() or counts:
            continue
        if tensor.is_complex() or not torch.equal(tensor, states[1][name]):
            raise CheckpointError(
                f"{name} holds no floating-point numbers and differs between the two networks, so"
                f" it cannot be interpolated: {both}."
            )


def _outputs(path: Path, alpha: float | Sequence[float]) -> list[tuple[Path, float]]:
    place = argument_name("alpha")
    if path.suffix != ".safetensors":
        raise OutputError(f"the output is a .safetensors file, got {path}: change its suffix.")
    several = not isinstance(alpha, int | float)
    shares = list(alpha) if isinstance(alpha, Sequence) else [alpha]
    if not shares:
        raise ConfigError(f"{place} is empty: give one number from 0 to 1, or several.")
    for share in shares:
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ConfigError(f"{place} is {share!r}, wanted numbers from 0 to 1.")
    if len(set(shares)) < len(shares):
        raise ConfigError(f"{place} holds the same number twice.")
    if not several or len(shares) == 1:
        return [(path, float(shares[0]))]
    return [(path.with_stem(f"{path.stem}_alpha_{share:.6g}"), float(share)) for share in shares]


def _notes(ends: tuple[_End, _End], alpha: float) -> dict[str, Any]:
    notes: dict[str, Any] = {
        "interpolated": {"alpha": alpha, "first": ends[0].note(), "second": ends[1].note()}
    }
    if any(end.meta.get("sample") for end in ends):
        notes["sample"] = True
    objectives = [end.meta.get("objective") for end in ends]
    if all(objectives):
        notes["objective"] = (
            f"{1 - alpha:.6g} of ({objectives[0]}) and {alpha:.6g} of ({objectives[1]})"
        )
    return notes
