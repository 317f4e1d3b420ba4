"""How far somebody else's network sees, found by following one call operation by operation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# Each output pixel depends on the input pixels of the same place, whatever the channels do.
_POINTWISE = frozenset(
    """abs add add_ addcmul alias batch_norm bitwise_and cat celu clamp clamp_ clamp_max clamp_min
    clone contiguous copy_ cos detach div div_ elu elu_ empty_like eq erf exp expand fill_ ge gelu
    gt hardsigmoid hardswish hardswish_ hardtanh hardtanh_ le leaky_relu leaky_relu_ lift_fresh
    log lt masked_fill maximum minimum mish mish_ mul mul_ native_batch_norm
    _native_batch_norm_legit _native_batch_norm_legit_no_training neg new_zeros new_ones ones_like
    pow _prelu_kernel reciprocal relu relu_ repeat rsqrt rsub sigmoid sigmoid_ sign silu silu_ sin
    softplus split split_with_sizes sqrt stack sub sub_ tanh tanh_ _to_copy unbind unsqueeze view
    _unsafe_view reshape squeeze where zeros_like zero_""".split()
)
_RANDOM = frozenset(
    """bernoulli bernoulli_ normal normal_ native_dropout rand rand_like randint randint_like randn
    randn_like randperm uniform_""".split()
)


@dataclass(frozen=True)
class Traced:
    """What one call of a network showed.

    Attributes:
        halo: How many LR pixels away an input can change an output; None: something reaches over
            the whole image, or cannot be followed.
        multiple: The LR pixels that the coarsest tensor has one pixel for: tiles start on multiples
            of it.
        random: The call drew random numbers.
    """

    halo: int | None
    multiple: int
    random: bool


@dataclass(frozen=True)
class _Sight:
    """Pixel i of a tensor sees the input from ``pitch * i + low`` to ``pitch * i + high``."""

    pitch: Fraction = Fraction(1)
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)

    def wider(self, before: float, after: float) -> _Sight:
        """See that many of its own pixels further."""
        return _Sight(
            self.pitch,
            self.low - Fraction(before) * self.pitch,
            self.high + Fraction(after) * self.pitch,
        )

    def finer(self, factor: int) -> _Sight:
        """Divide every pixel into ``factor`` ones, which all see what it saw."""
        finer = replace(self, pitch=self.pitch / factor)
        return finer.wider(factor - 1, 0)

    def coarser(self, factor: int, before: int, after: int) -> _Sight:
        """Step by ``factor`` pixels, seeing from ``before`` of them to ``after`` of them."""
        return replace(self.wider(before, after), pitch=self.pitch * factor)

    def union(self, other: _Sight) -> _Sight:
        """See what either sees."""
        if self.pitch != other.pitch:
            raise _LostError
        return _Sight(self.pitch, min(self.low, other.low), max(self.high, other.high))


class _LostError(Exception):
    """An operation that reaches over the image, or is not known."""


def trace(call: Callable[[Tensor], Tensor], lr: Tensor, scale: int) -> tuple[Traced, Tensor]:
    """Run a network once and follow what its output pixels depend on.

    Convolutions, pooling, resampling by whole factors, padding and cropping are followed exactly;
    what works pixel by pixel changes nothing. Anything else (means over the image, attention,
    windows, unknown operations) makes the reach unknown.

    Args:
        call: The network, in the mode in which it will be used.
        lr: An input (B, C, h, w).
        scale: Output over input size.

    Returns:
        What was found, and the output of the call.
    """
    mode = _Follow(lr)
    with torch.no_grad(), mode:
        output = call(lr)
    sight = mode.sight(output)
    if mode.lost or sight is None or sight.pitch != Fraction(1, scale):
        return Traced(None, 1, mode.random), output
    # Output pixel o belongs to LR pixel floor(o / scale).
    after = sight.high + Fraction(scale - 1, scale)
    halo = max(math.floor(-sight.low), math.floor(after), 1)
    return Traced(halo, mode.multiple, mode.random), output


class _Follow(TorchDispatchMode):
    """Keeps the sight of every tensor that depends on the input."""

    def __init__(self, source: Tensor) -> None:
        super().__init__()
        self.lost, self.random, self.multiple = False, False, 1
        # Tensors are kept so that none of them is freed and its id taken by another.
        self._known: dict[int, tuple[Tensor, _Sight]] = {id(source): (source, _Sight())}

    def sight(self, value: Any) -> _Sight | None:
        """Return what a tensor sees; None for one that does not depend on the input."""
        found = self._known.get(id(value))
        return None if found is None else found[1]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation, and note what its outputs see."""
        given = _tensors([*args, *(kwargs or {}).values()])
        sights = [self.sight(tensor) for tensor in given]
        shapes = [tuple(tensor.shape) for tensor in given]
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        self.random = self.random or name in _RANDOM
        if self.lost or not any(sights):
            return result
        try:
            seen = [sight for sight in sights if sight is not None]
            sight = seen[0]
            for other in seen[1:]:
                sight = sight.union(other)
            for known, tensor in zip(sights, given, strict=True):
                of_channels = "batch_norm" in name  # its vectors
                if known is None and name in _POINTWISE and not of_channels and _is_map(tensor):
                    raise _LostError
                if known is not None and name in _POINTWISE and _is_spread(tensor, result):
                    raise _LostError
            for tensor in _tensors([result]):
                if tensor.numel():  # batch normalisation returns empty statistics beside its image
                    self._note(tensor, _after(name, sight, args, shapes[0], tuple(tensor.shape)))
        except _LostError:
            self.lost = True
        return result

    def _note(self, tensor: Tensor, sight: _Sight) -> None:
        if sight.pitch.denominator == 1:
            self.multiple = math.lcm(self.multiple, sight.pitch.numerator)
        before = self.sight(tensor)
        self._known[id(tensor)] = (tensor, sight)
        if before is None or before == sight:
            return
        # Written in place: whatever shares the memory sees as much now.
        store = tensor.untyped_storage().data_ptr()
        for key, (other, known) in list(self._known.items()):
            if other.untyped_storage().data_ptr() == store:
                self._known[key] = (other, known.union(sight))


def _after(
    name: str, sight: _Sight, args: Any, shape: tuple[int, ...], result: tuple[int, ...]
) -> _Sight:
    """Return what the output of an operation sees."""
    if name == "convolution":
        return _convolved(sight, args)
    if name in ("max_pool2d_with_indices", "avg_pool2d", "max_pool2d"):
        kernel, stride = args[1], args[2] if len(args) > 2 and args[2] else args[1]
        padding = args[3] if len(args) > 3 else [0]
        if name.startswith("max") and len(args) > 4:
            kernel = _dilated(kernel, args[4])
        return _both(sight, kernel, stride, padding)
    if name in ("reflection_pad2d", "replication_pad2d", "constant_pad_nd"):
        left, right, top, bottom = (list(args[1]) + [0, 0, 0, 0])[:4]
        return sight.wider(left, -left).union(sight.wider(top, -top))
    if name in ("pixel_shuffle", "pixel_unshuffle"):
        factor = args[1]
        return sight.finer(factor) if name[6] == "s" else sight.coarser(factor, 0, factor - 1)
    if name in ("upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d"):
        factor = _factor(shape, result)
        if name != "upsample_nearest2d" and args[2]:
            raise _LostError  # corners on corners: where a pixel lies depends on the image's size
        taps = {"upsample_nearest2d": 0, "upsample_bilinear2d": 1, "upsample_bicubic2d": 2}[name]
        return sight.wider(taps, taps).finer(factor)
    if name == "slice":
        return _sliced(sight, args, len(shape))
    if name in ("mean", "sum", "amax", "amin"):
        dims = [dim % len(shape) for dim in (args[1] if len(args) > 1 and args[1] else range(9))]
        if len(shape) != 4 or dims != [1]:
            raise _LostError
        return sight
    if name in ("permute", "transpose"):
        moved = [dim % len(shape) for dim in (args[1] if name == "permute" else args[1:3])]
        if name == "permute":
            moved = [dim for place, dim in enumerate(moved) if place != dim]
        if any(dim >= len(shape) - 2 for dim in moved):
            raise _LostError
        return sight
    if name not in _POINTWISE or (_is_image(shape) and result[-2:] != shape[-2:]):
        raise _LostError
    return sight


def _convolved(sight: _Sight, args: Any) -> _Sight:
    weight: Tensor = args[1]
    stride, padding, dilation, transposed = args[3:7]
    if weight.ndim != 4:
        raise _LostError
    if not transposed:
        return _both(sight, _dilated(weight.shape[2:], dilation), stride, padding)
    axes = []
    for size, step, pad in zip(weight.shape[2:], stride, padding, strict=True):
        finer = replace(sight, pitch=sight.pitch / step)
        axes.append(finer.wider(size - 1 - pad, pad))
    return axes[0].union(axes[1])


def _dilated(kernel: Any, dilation: Any) -> list[int]:
    pairs = zip(*(list(value) * (2 // len(value)) for value in (kernel, dilation)), strict=True)
    return [(size - 1) * step + 1 for size, step in pairs]


def _both(sight: _Sight, kernel: Any, stride: Any, padding: Any) -> _Sight:
    """See what windows of both axes see."""
    pairs = [list(value) * (2 // len(value)) for value in (kernel, stride, padding)]
    across, down = (sight.coarser(s, p, k - 1 - p) for k, s, p in zip(*pairs, strict=True))
    return across.union(down)  # the two axes are followed as one


def _sliced(sight: _Sight, args: Any, ndim: int) -> _Sight:
    dim, start = (args[1] if len(args) > 1 else 0) % ndim, args[2] if len(args) > 2 else 0
    step = args[4] if len(args) > 4 else 1
    if dim < ndim - 2:
        return sight
    if step != 1 or (start or 0) < 0:
        raise _LostError
    # A crop of one axis only: the other stays where it was.
    return sight.wider(-(start or 0), start or 0).union(sight)


def _factor(shape: tuple[int, ...], result: tuple[int, ...]) -> int:
    if any(out % size for out, size in zip(result[-2:], shape[-2:], strict=True)):
        raise _LostError
    factors = {out // size for out, size in zip(result[-2:], shape[-2:], strict=True)}
    if len(factors) != 1:
        raise _LostError
    return factors.pop()


def _is_map(tensor: Tensor) -> bool:
    """Say whether a tensor tells places of the image apart, as embeddings of positions do."""
    extended = max(tensor.shape[-2:], default=1) > 1
    return extended and not bool((tensor == tensor.flatten()[0]).all())


def _is_spread(tensor: Tensor, result: Any) -> bool:
    """Say whether one pixel of the image is handed to all places."""
    alone = tensor.ndim >= 3 and tuple(tensor.shape[-2:]) == (1, 1)
    return alone and any(_is_image(tuple(made.shape)) for made in _tensors([result]))


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) >= 3 and max(shape[-2:]) > 1


def _tensors(values: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
    return found
