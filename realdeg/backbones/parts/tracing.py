"""How far a network sees, found by following one call operation by operation."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from realdeg.backbones.parts.reach import Span, bicubic_span, union

if TYPE_CHECKING:
    from realdeg.backbones.base import Backbone

logger = logging.getLogger(__name__)

# Each output pixel depends on the input pixels of the same place, whatever the channels do.
_POINTWISE = frozenset(
    """abs add add_ addcmul alias batch_norm bitwise_and celu clamp clamp_ clamp_max clamp_min
    clone contiguous copy_ cos detach div div_ elu elu_ empty_like eq erf exp fill_ ge gelu
    gt hardsigmoid hardswish hardswish_ hardtanh hardtanh_ le leaky_relu leaky_relu_ lerp lift_fresh
    log lt masked_fill maximum minimum mish mish_ mul mul_ native_batch_norm
    _native_batch_norm_legit _native_batch_norm_legit_no_training neg new_zeros new_ones ones_like
    pow _prelu_kernel reciprocal relu relu_ rsqrt rsub sigmoid sigmoid_ sign silu silu_ sin
    softplus sqrt sub sub_ tanh tanh_ _to_copy where zeros_like zero_""".split()
)
_RANDOM = frozenset(
    """bernoulli bernoulli_ normal normal_ native_dropout rand rand_like randint randint_like randn
    randn_like randperm uniform_""".split()
)
_VIEWS = frozenset(("view", "_unsafe_view", "reshape", "_reshape_alias"))
_MEANS = frozenset(("mean", "sum", "amax", "amin", "_adaptive_avg_pool2d", "adaptive_avg_pool2d"))
_SIDE = 24


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
class _Axis:
    """Pixel ``q * len(spans) + j`` of a tensor sees the input's pixels ``q * step + spans[j]``.

    The image has no border here: it goes on for ever on both sides.
    """

    step: int
    spans: tuple[Span, ...]

    def at(self, pixel: int) -> Span:
        """Return what a pixel sees."""
        period, place = divmod(pixel, len(self.spans))
        first, last = self.spans[place]
        return first + period * self.step, last + period * self.step

    def read(self, taps: Callable[[int], Iterable[int]], every: int = 1, moves: int = 1) -> _Axis:
        """Return what a tensor sees whose pixel i is made of the pixels ``taps(i)`` of this one.

        Args:
            taps: At least one pixel; those of ``i + every`` are ``moves`` pixels further.
            every: Pixels.
            moves: Pixels.
        """
        times = len(self.spans) // math.gcd(len(self.spans), moves)
        step = self.step * moves * times // len(self.spans)
        made = (union(*(self.at(tap) for tap in taps(pixel))) for pixel in range(every * times))
        return _Axis(step, tuple(made))

    def union(self, other: _Axis) -> _Axis:
        """See what either sees."""
        if self.step * len(other.spans) != other.step * len(self.spans):
            raise _LostError
        count = math.lcm(len(self.spans), len(other.spans))
        spans = tuple(union(self.at(pixel), other.at(pixel)) for pixel in range(count))
        return _Axis(self.step * count // len(self.spans), spans)

    def resized(self, ratio: Fraction, radius: int) -> _Axis:
        """Interpolate to ``ratio`` times as many pixels; ``radius`` 0 takes the nearest."""
        if radius == 0:
            return self.read(lambda i: (math.floor(i / ratio),), ratio.numerator, ratio.denominator)

        def taps(pixel: int) -> range:
            first, last = bicubic_span((pixel, pixel), ratio, radius)
            return range(first, last + 1)

        return self.read(taps, ratio.numerator, ratio.denominator)


@dataclass(frozen=True)
class _Sight:
    """What a tensor sees.

    Attributes:
        dims: What each dimension goes through: ``"r"`` rows, ``"c"`` columns, ``"R"`` and ``"C"``
            the parts that every row or column is made of, ``""`` anything else.
        r: The rows, one axis for each part.
        c: The columns.
    """

    dims: tuple[str, ...]
    r: tuple[_Axis, ...]
    c: tuple[_Axis, ...]

    def of(self, dim: str) -> tuple[_Axis, ...]:
        return self.r if dim.lower() == "r" else self.c

    def put(self, dim: str, axes: tuple[_Axis, ...]) -> _Sight:
        return replace(self, r=axes) if dim.lower() == "r" else replace(self, c=axes)

    def whole(self) -> _Sight:
        """Forget what tells the parts of rows and columns apart."""
        found = self
        for fold in {"R", "C"} & set(self.dims):
            found = found.put(fold, (_joined(self.of(fold)),))
        return replace(found, dims=tuple("" if dim in "RC" else dim for dim in self.dims))

    def each(self, change: Callable[[_Axis, int], _Axis]) -> _Sight:
        """Change both axes of an image (..., h, w); the number says which: 0 or 1."""
        found = self.whole()
        if "" in found.dims[-2:]:
            raise _LostError
        for place, dim in enumerate(found.dims[-2:]):
            found = found.put(dim, (change(found.of(dim)[0], place),))
        return found

    def union(self, other: _Sight) -> _Sight:
        """See what either sees, the last dimensions of one lying on those of the other."""
        one, two = self, other
        if [len(one.r), len(one.c)] != [len(two.r), len(two.c)]:
            one, two = one.whole(), two.whole()
        count = max(len(one.dims), len(two.dims))
        pairs = zip(_padded(one.dims, count), _padded(two.dims, count), strict=True)
        dims = tuple(a or b for a, b in pairs)
        if any(sum(dim == name for dim in dims) > 1 for name in "rcRC"):
            raise _LostError
        rows, columns = (
            tuple(a.union(b) for a, b in zip(one.of(dim), two.of(dim), strict=True)) for dim in "rc"
        )
        return _Sight(dims, rows, columns)


class _LostError(Exception):
    """An operation that reaches over the image, or is not known."""


def _joined(axes: Sequence[_Axis]) -> _Axis:
    found = axes[0]
    for axis in axes[1:]:
        found = found.union(axis)
    return found


def _padded(dims: tuple[str, ...], count: int) -> tuple[str, ...]:
    return ("",) * (count - len(dims)) + dims


def trace(
    call: Callable[[Tensor], Tensor],
    lr: Tensor,
    scale: int,
    *,
    enlarged: int = 1,
    pooled: bool = False,
) -> tuple[Traced, Tensor]:
    """Run a network once and follow what its output pixels depend on.

    Convolutions, pooling, resampling, padding, cropping, and pixels that change places with
    channels are followed exactly, pixel by pixel; what works on single pixels changes nothing.
    Anything else (means over the image, attention, windows, unknown operations) makes the reach
    unknown.

    Args:
        call: The network, in the mode in which it will be used.
        lr: An input (B, C, h, w). Where it and the weights are on the device "meta", nothing is
            computed.
        scale: Output over LR size.
        enlarged: The input was interpolated (bicubic) that many times, and LR pixels are those
            before.
        pooled: Means over the whole image are not followed, so that what is found is the reach of
            everything else.

    Returns:
        What was found, and the output of the call.
    """
    axis = _Axis(1, ((0, 0),))
    axis = axis if enlarged == 1 else axis.resized(Fraction(enlarged), 2)
    mode = _Follow(lr, _Sight(("", "", "r", "c"), (axis,), (axis,)), pooled)
    with torch.no_grad(), mode:
        output = call(lr)
    sight = mode.sight(output)
    lost = Traced(None, 1, mode.random), output
    if mode.lost or sight is None or sight.dims[-2:] != ("r", "c"):
        return lost
    reaches = [1]
    for axis in (sight.whole().r[0], sight.whole().c[0]):
        if axis.step * scale != len(axis.spans):
            return lost
        for pixel in range(math.lcm(len(axis.spans), scale)):
            first, last = axis.at(pixel)
            reaches += [pixel // scale - first, last - pixel // scale]
    return Traced(max(reaches), mode.multiple, mode.random), output


class LocalReach:
    """The attribute ``halo`` of a network that does not set it: found when it is first asked for.

    The network is followed through a call without numbers (device "meta"), once for a class and
    its arguments. What reaches over the whole image by a mean is ``whole_image``, and no part of
    it. Windows and attention cannot be followed: networks that have them set their halo.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[type, str], int] = {}

    def __get__(self, network: Backbone | None, owner: type) -> Any:
        if network is None:
            return self
        key = (owner, repr(sorted(network.arguments.items())))
        if key not in self._found:
            self._found[key] = _local_reach(network)
        network.__dict__["halo"] = self._found[key]
        return self._found[key]


class _Forward(nn.Module):
    """A network's ``forward`` alone: no hook of its owner is called."""

    def __init__(self, network: Backbone) -> None:
        super().__init__()
        self.network = network

    def forward(self, lr: Tensor) -> Tensor:
        """Return the image."""
        output = self.network.forward(lr)
        return output if isinstance(output, Tensor) else output.sr


def _local_reach(network: Backbone) -> int:
    alone = _Forward(network)
    state = {
        name: tensor.to("meta")
        for name, tensor in (*alone.named_parameters(), *alone.named_buffers())
    }
    factor = 1 if network.same_size else math.ceil(network.scale)
    block = network.size_multiple
    side = -(-_SIDE // block) * block
    numbers = next((t.dtype for t in state.values() if t.is_floating_point()), torch.float32)
    lr = torch.empty(1, network.channels, side, side + block, device="meta", dtype=numbers)
    try:
        traced, _ = trace(
            lambda image: functional_call(alone, state, (image,)),
            lr,
            1 if network.upsample == "none" else factor,
            enlarged=factor if network.upsample == "pre" else 1,
            pooled=True,
        )
    except Exception as error:  # a network that looks at numbers, or takes no image of this size
        logger.debug("a call without numbers", exc_info=error)
        traced = Traced(None, 1, False)
    if traced.halo is None:
        logger.warning(
            "How far %s sees cannot be found by following a call: its tiles are cut without an"
            " overlap unless it states its halo.",
            type(network).__name__,
        )
    return traced.halo or 0


class _Follow(TorchDispatchMode):
    """Keeps the sight of every tensor that depends on the input."""

    def __init__(self, source: Tensor, sight: _Sight, pooled: bool) -> None:
        super().__init__()
        self.lost, self.random, self.multiple, self.pooled = False, False, 1, pooled
        # Tensors are kept so that none of them is freed and its id taken by another.
        self._known: dict[int, tuple[Tensor, _Sight]] = {id(source): (source, sight)}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # torch would import its compiler, 2 s, to leave this class out of it

    def sight(self, value: Any) -> _Sight | None:
        """Return what a tensor sees; None for one that does not depend on the input."""
        found = self._known.get(id(value))
        return None if found is None else found[1]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation, and note what its outputs see."""
        kwargs = dict(kwargs or {})
        given = _tensors([*args, *kwargs.values()])
        name = func.overloadpacket.__name__
        self.random = self.random or name in _RANDOM
        result = _run(func, given, args, kwargs)
        if self.lost or not any(self.sight(tensor) for tensor in given):
            return result
        try:
            for tensor in _tensors([result]):
                # Batch normalisation returns statistics beside its image.
                if tensor.numel() and not (tensor.ndim == 1 and "batch_norm" in name):
                    sight = self._after(name, given, args, kwargs, tensor)
                    if sight is not None:
                        self._note(tensor, sight)
        except _LostError:
            self.lost = True
        return result

    def _after(
        self, name: str, given: list[Tensor], args: Any, kwargs: dict[str, Any], result: Tensor
    ) -> _Sight | None:
        """Return what an output of an operation sees."""
        seen = [(tensor, sight) for tensor in given if (sight := self.sight(tensor)) is not None]
        source, sight = seen[0]
        if name == "convolution" and len(seen) == 1:
            return _convolved(sight, args)
        if name == "pixel_kernel_apply":
            side, stride = round(args[1].shape[1] ** 0.5), args[2]
            image, kernels = (self.sight(tensor) for tensor in args[:2])
            looks = [] if kernels is None else [kernels.whole()]
            if image is not None:
                looks.append(image.each(lambda axis, _: _window(axis, side, stride, side // 2)))
            return looks[0] if len(looks) == 1 else looks[0].union(looks[1])
        if name in ("mm", "bmm"):
            return _multiplied(sight, args, source)
        if name in _MEANS:
            return _averaged(name, sight, args, source, result, self.pooled)
        if name == "stack":
            return _stacked([one.whole() for _, one in seen], args, result)
        if name in ("cat", "_softmax"):
            if sight.whole().dims[args[1] % source.ndim if len(args) > 1 else 0]:
                raise _LostError
        elif name in _POINTWISE:
            return self._pointwise(name, given, args, kwargs, result)
        elif len(seen) == 1:
            return _alone(name, sight, args, tuple(source.shape), tuple(result.shape))
        else:
            raise _LostError
        for _, other in seen[1:]:
            sight = sight.union(other)
        return sight

    def _pointwise(
        self, name: str, given: list[Tensor], args: Any, kwargs: dict[str, Any], result: Tensor
    ) -> _Sight | None:
        found: _Sight | None = None
        if name in ("add", "sub", "add_", "sub_") and kwargs.get("alpha") == 0:
            given = given[:1]
        if name == "mul" and isinstance(args[1], int | float) and args[1] == 0:
            return None
        for tensor in given:
            sight = self.sight(tensor)
            if sight is None:
                if "batch_norm" not in name and _is_map(tensor):  # its vectors are no places
                    raise _LostError
                continue
            if _lengths(sight, tensor) != _lengths(sight, result):
                raise _LostError  # one pixel is handed to all places
            found = sight if found is None else found.union(sight)
        return found

    def _note(self, tensor: Tensor, sight: _Sight) -> None:
        for axis in (*sight.r, *sight.c):
            pitch = Fraction(axis.step, len(axis.spans))
            if pitch.denominator == 1 and len(sight.r) == len(sight.c) == 1:
                self.multiple = math.lcm(self.multiple, pitch.numerator)
        before = self.sight(tensor)
        self._known[id(tensor)] = (tensor, sight)
        if before is None or before == sight:
            return
        # Written in place: whatever shares the memory sees as much now.
        store = tensor.untyped_storage()._cdata
        for key, (other, known) in list(self._known.items()):
            if other.untyped_storage()._cdata == store:
                self._known[key] = (other, known.union(sight))


def _run(func: Any, given: list[Tensor], args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation; what depends on no weight is computed, so that indices have values."""
    if any(tensor.is_meta for tensor in given):
        # Beside an image without numbers, numbers do not matter.
        args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.to("meta"), (args, kwargs))
    elif kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "meta":
        kwargs = {**kwargs, "device": torch.device("cpu")}
    return func(*args, **kwargs)


def _alone(
    name: str, sight: _Sight, args: Any, shape: tuple[int, ...], result: tuple[int, ...]
) -> _Sight:
    """Return what the output of an operation on one image sees."""
    dims = sight.dims
    if name in ("max_pool2d_with_indices", "avg_pool2d", "max_pool2d"):
        stride = args[2] if len(args) > 2 and args[2] else args[1]
        padding = args[3] if len(args) > 3 else [0]
        dilation = args[4] if name.startswith("max") and len(args) > 4 else [1]
        pairs = [_pair(value) for value in (args[1], stride, padding, dilation)]
        return sight.each(lambda axis, k: _window(axis, *(pair[k] for pair in pairs)))
    if name in ("reflection_pad2d", "replication_pad2d", "constant_pad_nd"):
        left, _, top, _ = (list(args[1]) + [0, 0, 0, 0])[:4]
        return sight.each(lambda axis, k: axis.read(lambda i: (i - (top, left)[k],)))
    if name == "pixel_shuffle":
        return sight.each(lambda axis, _: axis.resized(Fraction(args[1]), 0))
    if name == "pixel_unshuffle":
        return sight.each(lambda axis, _: _window(axis, args[1], args[1], 0))
    if "upsample_" in name:
        if "nearest" not in name and args[2]:
            raise _LostError  # corners on corners: where a pixel lies depends on the image's size
        radius = 0 if "nearest" in name else 1 if "bilinear" in name else 2
        ratios = [Fraction(new, old) for new, old in zip(result[-2:], shape[-2:], strict=True)]
        if min(ratios) < 1 and not name.endswith("aa"):
            raise _LostError
        return sight.each(lambda axis, k: axis.resized(ratios[k], radius))
    if name in ("slice", "select", "index_select", "split_with_sizes", "split", "unbind"):
        return _picked(name, sight, args, shape)
    if name in ("permute", "transpose"):
        order = list(range(len(dims)))
        if name == "permute":
            order = [dim % len(dims) for dim in args[1]]
        else:
            one, two = (dim % len(dims) for dim in args[1:3])
            order[one], order[two] = two, one
        return replace(sight, dims=tuple(dims[dim] for dim in order))
    if name == "unsqueeze":
        place = args[1] % len(result)
        return replace(sight, dims=(*dims[:place], "", *dims[place:]))
    if name in ("expand", "repeat"):
        padded = _padded(dims, len(result))
        sizes = (1,) * (len(result) - len(shape)) + shape
        if any(dim and old != new for dim, old, new in zip(padded, sizes, result, strict=True)):
            raise _LostError
        return replace(sight, dims=padded)
    if name in _VIEWS or name == "squeeze":
        return _viewed(sight, shape, result)
    raise _LostError


def _pair(values: Any) -> list[int]:
    listed = list(values) if isinstance(values, list | tuple) else [values]
    return listed * (2 // len(listed))


def _window(axis: _Axis, size: int, stride: int, padding: int, dilation: int = 1) -> _Axis:
    """See windows of pixels."""
    places = range(-padding, (size - 1) * dilation - padding + 1, dilation)
    return axis.read(lambda i: (i * stride + place for place in places), 1, stride)


def _convolved(sight: _Sight, args: Any) -> _Sight:
    sizes = args[1].shape[2:]
    if len(sizes) != 2:
        raise _LostError
    stride, padding, dilation = (_pair(value) for value in args[3:6])
    if not args[6]:
        return sight.each(
            lambda axis, k: _window(axis, sizes[k], stride[k], padding[k], dilation[k])
        )

    def spread(axis: _Axis, k: int) -> _Axis:
        def taps(pixel: int) -> list[int]:
            last = (pixel + padding[k]) // stride[k]
            first = -((sizes[k] - 1 - pixel - padding[k]) // stride[k])
            return list(range(first, last + 1)) or [last]

        return axis.read(taps, stride[k], 1)

    if dilation != [1, 1]:
        raise _LostError
    return sight.each(spread)


def _multiplied(sight: _Sight, args: Any, source: Tensor) -> _Sight:
    """Follow a matrix that makes rows or columns of others, such as those that interpolate."""
    left = args[1] is source
    matrix = args[0] if left else args[1].mT
    place = -2 if left else -1
    dim = sight.dims[place]
    if not dim or matrix.is_meta or math.prod(matrix.shape[:-2]) != 1:
        raise _LostError
    matrix = matrix.reshape(matrix.shape[-2:])
    ratio = Fraction(*matrix.shape)
    every, moves = ratio.numerator, ratio.denominator
    middle = matrix.shape[0] // every // 2

    def taps(pixel: int) -> list[int]:
        used = matrix[middle * every + pixel].nonzero().flatten().tolist()
        return [tap - middle * moves for tap in used]

    times = {pixel: taps(pixel) for pixel in range(every)}

    def shifted(pixel: int) -> list[int]:
        return [tap + pixel // every * moves for tap in times[pixel % every]]

    return sight.put(dim, (sight.of(dim)[0].read(shifted, every, moves),))


def _averaged(
    name: str, sight: _Sight, args: Any, source: Tensor, result: Tensor, pooled: bool
) -> _Sight | None:
    sight = sight.whole()
    every = "adaptive" in name or len(args) < 2 or not args[1]
    over = {dim % source.ndim for dim in (range(source.ndim) if every else args[1])}
    if any(sight.dims[dim] for dim in over):
        if pooled:
            return None
        raise _LostError
    if result.ndim == source.ndim:
        return sight
    return replace(sight, dims=tuple(d for k, d in enumerate(sight.dims) if k not in over))


def _stacked(sights: list[_Sight], args: Any, result: Tensor) -> _Sight:
    place = (args[1] if len(args) > 1 else 0) % result.ndim
    dims = sights[0].dims
    before = dims[place - 1] if place else ""
    found = sights[0]
    for other in sights[1:]:
        found = found.union(other)
    dims = (*dims[:place], before.upper(), *dims[place:])
    if before and len(sights) == result.shape[place]:
        found = found.put(before, tuple(sight.of(before)[0] for sight in sights))
        return replace(found, dims=dims)
    return replace(found, dims=(*dims[:place], "", *dims[place + 1 :]))


def _picked(name: str, sight: _Sight, args: Any, shape: tuple[int, ...]) -> _Sight:
    """Follow a part of a tensor: some of its pixels, or some of its channels."""
    sight = sight.whole()
    place = 2 if name.startswith("split") else 1
    place = (args[place] if len(args) > place else 0) % len(shape)
    dim = sight.dims[place]
    if name in ("select", "unbind"):
        if dim:
            raise _LostError
        return replace(sight, dims=(*sight.dims[:place], *sight.dims[place + 1 :]))
    if not dim:
        return sight
    axis = sight.of(dim)[0]
    if name == "slice":
        start, step = (args[2] if len(args) > 2 else 0) or 0, args[4] if len(args) > 4 else 1
    elif name == "index_select" and not args[2].is_meta and len(args[2]) > 1:
        middle = len(args[2]) // 2
        start, step = int(args[2][middle]) - middle, 1  # what lies at the borders is padding
        if int(args[2][middle - 1]) != start + middle - 1:
            raise _LostError
        return sight.put(dim, (axis.read(lambda i: (i + start,)),))
    else:
        raise _LostError
    if start < 0:
        raise _LostError
    return sight.put(dim, (axis.read(lambda i: (start + i * step,), 1, step),))


def _viewed(sight: _Sight, shape: tuple[int, ...], result: tuple[int, ...]) -> _Sight:
    """Follow dimensions that are divided or put together."""
    dims: list[str] = []
    old = new = 0
    while old < len(shape) or new < len(result):
        # The smallest groups of dimensions that have as many elements before as after.
        olds, news = [old] if old < len(shape) else [], [new] if new < len(result) else []
        old, new = old + len(olds), new + len(news)
        while (a := math.prod(shape[i] for i in olds)) != (b := math.prod(result[i] for i in news)):
            if a < b:
                olds.append(old)
                old += 1
            else:
                news.append(new)
                new += 1
        named = [sight.dims[i] for i in olds if shape[i] != 1]
        made = [i for i in news if result[i] != 1]
        if not any(named):
            dims += [""] * len(news)
            continue
        main = named[0]
        if named == [main, main.upper()] and len(made) == 1 and main.islower():
            parts = sight.of(main)
            count = len(parts)
            axis = _Axis(parts[0].step, parts[0].spans)
            spans = [
                part.at(pixel)
                for pixel in range(math.lcm(*(len(part.spans) for part in parts)))
                for part in parts
            ]
            step = axis.step * (len(spans) // count) // len(axis.spans)
            sight, kept = sight.put(main, (_Axis(step, tuple(spans)),)), [main]
        elif named == [main] and main.islower() and len(made) == 1:
            kept = [main]
        elif named == [main] and main.islower() and len(made) == 2 and len(sight.of(main)) == 1:
            count = result[made[1]]
            axis = sight.of(main)[0]
            parts = tuple(_part(axis, part, count) for part in range(count))
            sight, kept = sight.put(main, parts), [main, main.upper()]
        elif not any(dim.islower() for dim in named):  # parts among the channels
            for fold in {dim for dim in named if dim}:
                sight = sight.put(fold, (_joined(sight.of(fold)),))
            kept = [""] * len(made)
        else:
            raise _LostError
        dims += [kept[made.index(i)] if i in made else "" for i in news]
    return replace(sight, dims=tuple(dims))


def _part(axis: _Axis, part: int, count: int) -> _Axis:
    return axis.read(lambda i: (i * count + part,), 1, count)


def _lengths(sight: _Sight, tensor: Tensor) -> dict[str, int]:
    """Return how many pixels a tensor has along the axes of an image."""
    count = min(len(sight.dims), tensor.ndim)
    sizes = zip(sight.dims[-count:], tensor.shape[-count:], strict=True)
    return {dim: size for dim, size in sizes if dim}


def _is_map(tensor: Tensor) -> bool:
    """Say whether a tensor tells places of the image apart, as embeddings of positions do."""
    extended = not tensor.is_meta and max(tensor.shape[-2:], default=1) > 1
    return extended and not bool((tensor == tensor.flatten()[0]).all())


def _tensors(values: Any) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
    return found
