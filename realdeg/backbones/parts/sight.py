"""What a tensor sees of an image, and what the outputs of one operation see then."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from torch import Tensor

from realdeg.backbones.parts.reach import Span, bicubic_span, union

_VIEWS = frozenset(("view", "_unsafe_view", "reshape", "_reshape_alias"))


@dataclass(frozen=True)
class Axis:
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

    def read(self, taps: Callable[[int], Iterable[int]], every: int = 1, moves: int = 1) -> Axis:
        """Return what a tensor sees whose pixel i is made of the pixels ``taps(i)`` of this one.

        Args:
            taps: At least one pixel; those of ``i + every`` are ``moves`` pixels further.
            every: Pixels.
            moves: Pixels.
        """
        times = len(self.spans) // math.gcd(len(self.spans), moves)
        step = self.step * moves * times // len(self.spans)
        made = (union(*(self.at(tap) for tap in taps(pixel))) for pixel in range(every * times))
        return Axis(step, tuple(made))

    def union(self, other: Axis) -> Axis:
        """See what either sees."""
        if self.step * len(other.spans) != other.step * len(self.spans):
            raise LostError
        count = math.lcm(len(self.spans), len(other.spans))
        spans = tuple(union(self.at(pixel), other.at(pixel)) for pixel in range(count))
        return Axis(self.step * count // len(self.spans), spans)

    def resized(self, ratio: Fraction, radius: int) -> Axis:
        """Interpolate to ``ratio`` times as many pixels; ``radius`` 0 takes the nearest."""
        if radius == 0:
            return self.read(lambda i: (math.floor(i / ratio),), ratio.numerator, ratio.denominator)

        def taps(pixel: int) -> range:
            first, last = bicubic_span((pixel, pixel), ratio, radius)
            return range(first, last + 1)

        return self.read(taps, ratio.numerator, ratio.denominator)


@dataclass(frozen=True)
class Sight:
    """What a tensor sees.

    Attributes:
        dims: What each dimension goes through: ``"r"`` rows, ``"c"`` columns, ``"R"`` and ``"C"``
            the parts that every row or column is made of, ``""`` anything else.
        r: The rows, one axis for each part.
        c: The columns.
    """

    dims: tuple[str, ...]
    r: tuple[Axis, ...]
    c: tuple[Axis, ...]

    def of(self, dim: str) -> tuple[Axis, ...]:
        """Return the axes of rows (``"r"``) or columns (``"c"``)."""
        return self.r if dim.lower() == "r" else self.c

    def put(self, dim: str, axes: tuple[Axis, ...]) -> Sight:
        """Replace the axes of rows or columns."""
        return replace(self, r=axes) if dim.lower() == "r" else replace(self, c=axes)

    def whole(self) -> Sight:
        """Forget what tells the parts of rows and columns apart."""
        found = self
        for fold in {"R", "C"} & set(self.dims):
            found = found.put(fold, (_joined(self.of(fold)),))
        return replace(found, dims=tuple("" if dim in "RC" else dim for dim in self.dims))

    def each(self, change: Callable[[Axis, int], Axis]) -> Sight:
        """Change both axes of an image (..., h, w); the number says which: 0 or 1."""
        found = self.whole()
        if "" in found.dims[-2:]:
            raise LostError
        for place, dim in enumerate(found.dims[-2:]):
            found = found.put(dim, (change(found.of(dim)[0], place),))
        return found

    def union(self, other: Sight) -> Sight:
        """See what either sees, the last dimensions of one lying on those of the other."""
        one, two = self, other
        if [len(one.r), len(one.c)] != [len(two.r), len(two.c)]:
            one, two = one.whole(), two.whole()
        count = max(len(one.dims), len(two.dims))
        pairs = zip(_padded(one.dims, count), _padded(two.dims, count), strict=True)
        dims = tuple(a or b for a, b in pairs)
        if any(sum(dim == name for dim in dims) > 1 for name in "rcRC"):
            raise LostError
        rows, columns = (
            tuple(a.union(b) for a, b in zip(one.of(dim), two.of(dim), strict=True)) for dim in "rc"
        )
        return Sight(dims, rows, columns)


class LostError(Exception):
    """An operation that reaches over the image, or is not known."""


def _joined(axes: Sequence[Axis]) -> Axis:
    found = axes[0]
    for axis in axes[1:]:
        found = found.union(axis)
    return found


def _padded(dims: tuple[str, ...], count: int) -> tuple[str, ...]:
    return ("",) * (count - len(dims)) + dims


def followed(
    name: str, sight: Sight, args: Any, shape: tuple[int, ...], result: tuple[int, ...]
) -> Sight:
    """Return what the output of an operation on one image sees."""
    dims = sight.dims
    if name in ("max_pool2d_with_indices", "avg_pool2d", "max_pool2d"):
        stride = args[2] if len(args) > 2 and args[2] else args[1]
        padding = args[3] if len(args) > 3 else [0]
        dilation = args[4] if name.startswith("max") and len(args) > 4 else [1]
        pairs = [_pair(value) for value in (args[1], stride, padding, dilation)]
        return sight.each(lambda axis, k: window(axis, *(pair[k] for pair in pairs)))
    if name in ("reflection_pad2d", "replication_pad2d", "constant_pad_nd"):
        left, _, top, _ = (list(args[1]) + [0, 0, 0, 0])[:4]
        return sight.each(lambda axis, k: axis.read(lambda i: (i - (top, left)[k],)))
    if name == "pixel_shuffle":
        return sight.each(lambda axis, _: axis.resized(Fraction(args[1]), 0))
    if name == "pixel_unshuffle":
        return sight.each(lambda axis, _: window(axis, args[1], args[1], 0))
    if "upsample_" in name:
        if "nearest" not in name and args[2]:
            raise LostError  # corners on corners: where a pixel lies depends on the image's size
        radius = 0 if "nearest" in name else 1 if "bilinear" in name else 2
        ratios = [Fraction(new, old) for new, old in zip(result[-2:], shape[-2:], strict=True)]
        if min(ratios) < 1 and not name.endswith("aa"):
            raise LostError
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
            raise LostError
        return replace(sight, dims=padded)
    if name in _VIEWS or name == "squeeze":
        return _viewed(sight, shape, result)
    raise LostError


def _pair(values: Any) -> list[int]:
    listed = list(values) if isinstance(values, list | tuple) else [values]
    return listed * (2 // len(listed))


def window(axis: Axis, size: int, stride: int, padding: int, dilation: int = 1) -> Axis:
    """See windows of pixels."""
    places = range(-padding, (size - 1) * dilation - padding + 1, dilation)
    return axis.read(lambda i: (i * stride + place for place in places), 1, stride)


def convolved(sight: Sight, args: Any) -> Sight:
    """Follow a convolution, transposed or not."""
    sizes = args[1].shape[2:]
    if len(sizes) != 2:
        raise LostError
    stride, padding, dilation = (_pair(value) for value in args[3:6])
    if not args[6]:
        return sight.each(
            lambda axis, k: window(axis, sizes[k], stride[k], padding[k], dilation[k])
        )

    def spread(axis: Axis, k: int) -> Axis:
        def taps(pixel: int) -> list[int]:
            last = (pixel + padding[k]) // stride[k]
            first = -((sizes[k] - 1 - pixel - padding[k]) // stride[k])
            return list(range(first, last + 1)) or [last]

        return axis.read(taps, stride[k], 1)

    if dilation != [1, 1]:
        raise LostError
    return sight.each(spread)


def multiplied(sight: Sight, args: Any, source: Tensor) -> Sight:
    """Follow a matrix that makes rows or columns of others, such as those that interpolate."""
    left = args[1] is source
    matrix = args[0] if left else args[1].mT
    place = -2 if left else -1
    dim = sight.dims[place]
    if not dim or matrix.is_meta or math.prod(matrix.shape[:-2]) != 1:
        raise LostError
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


def averaged(
    name: str, sight: Sight, args: Any, source: Tensor, result: Tensor, pooled: bool
) -> Sight | None:
    """Follow a mean or the like: over channels, or over the whole image (None if ``pooled``)."""
    sight = sight.whole()
    every = "adaptive" in name or len(args) < 2 or not args[1]
    over = {dim % source.ndim for dim in (range(source.ndim) if every else args[1])}
    if any(sight.dims[dim] for dim in over):
        if pooled:
            return None
        raise LostError
    if result.ndim == source.ndim:
        return sight
    return replace(sight, dims=tuple(d for k, d in enumerate(sight.dims) if k not in over))


def stacked(sights: list[Sight], args: Any, result: Tensor) -> Sight:
    """Follow a stack: behind rows or columns its members become parts of each of them."""
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


def _picked(name: str, sight: Sight, args: Any, shape: tuple[int, ...]) -> Sight:
    """Follow a part of a tensor: some of its pixels, or some of its channels."""
    sight = sight.whole()
    place = 2 if name.startswith("split") else 1
    place = (args[place] if len(args) > place else 0) % len(shape)
    dim = sight.dims[place]
    if name in ("select", "unbind"):
        if dim:
            raise LostError
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
            raise LostError
        return sight.put(dim, (axis.read(lambda i: (i + start,)),))
    else:
        raise LostError
    if start < 0:
        raise LostError
    return sight.put(dim, (axis.read(lambda i: (start + i * step,), 1, step),))


def _viewed(sight: Sight, shape: tuple[int, ...], result: tuple[int, ...]) -> Sight:
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
            axis = Axis(parts[0].step, parts[0].spans)
            spans = [
                part.at(pixel)
                for pixel in range(math.lcm(*(len(part.spans) for part in parts)))
                for part in parts
            ]
            step = axis.step * (len(spans) // count) // len(axis.spans)
            sight, kept = sight.put(main, (Axis(step, tuple(spans)),)), [main]
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
            raise LostError
        dims += [kept[made.index(i)] if i in made else "" for i in news]
    return replace(sight, dims=tuple(dims))


def _part(axis: Axis, part: int, count: int) -> Axis:
    return axis.read(lambda i: (i * count + part,), 1, count)
