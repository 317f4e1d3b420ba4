"""Receptive fields of tensors, and how one operation changes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from typing import Any

from torch import Tensor

from realdeg.backbones.parts.spans import Span, bicubic_span, union

_VIEWS = frozenset(("view", "_unsafe_view", "reshape", "_reshape_alias"))


@dataclass(frozen=True)
class Axis:
    """Pixel ``q * len(spans) + j`` of a tensor sees the input's pixels ``q * step + spans[j]``.

    Borders are ignored: the image is infinite on both sides.
    """

    step: int
    spans: tuple[Span, ...]

    def at(self, pixel: int) -> Span:
        """Return the input pixels that a pixel sees."""
        period, place = divmod(pixel, len(self.spans))
        first, last = self.spans[place]
        return first + period * self.step, last + period * self.step

    def read(self, taps: Callable[[int], Iterable[int]], every: int = 1, moves: int = 1) -> Axis:
        """Return the axis of a tensor whose pixel i is computed from this one's ``taps(i)``.

        The taps (at least one) of pixel ``i + every`` are those of pixel ``i`` plus ``moves``.
        """
        times = len(self.spans) // math.gcd(len(self.spans), moves)
        step = self.step * moves * times // len(self.spans)
        made = (union(*(self.at(tap) for tap in taps(pixel))) for pixel in range(every * times))
        return Axis(step, tuple(made))

    def union(self, other: Axis) -> Axis:
        """Return what either of two tensors sees."""
        if self == other:
            return self
        if self.step * len(other.spans) != other.step * len(self.spans):
            raise UntraceableError
        count = math.lcm(len(self.spans), len(other.spans))
        spans = tuple(union(self.at(pixel), other.at(pixel)) for pixel in range(count))
        return Axis(self.step * count // len(self.spans), spans)

    def resized(self, ratio: Fraction, radius: int) -> Axis:
        """Interpolate to ``ratio`` times as many pixels; ``radius`` 0 means nearest."""
        if radius == 0:
            return self.read(lambda i: (math.floor(i / ratio),), ratio.numerator, ratio.denominator)

        def taps(pixel: int) -> range:
            first, last = bicubic_span((pixel, pixel), ratio, radius)
            return range(first, last + 1)

        return self.read(taps, ratio.numerator, ratio.denominator)


@dataclass(frozen=True)
class ReceptiveField:
    """What a tensor sees of the input image.

    Attributes:
        dims: The meaning of each dimension: ``"r"`` rows, ``"c"`` columns, ``"R"`` and ``"C"`` the
            parts into which rows or columns are split, ``""`` anything else.
        r: The rows, one axis for each part.
        c: The columns, likewise.
    """

    dims: tuple[str, ...]
    r: tuple[Axis, ...]
    c: tuple[Axis, ...]

    def of(self, dim: str) -> tuple[Axis, ...]:
        """Return the axes of rows (``"r"``) or columns (``"c"``)."""
        return self.r if dim.lower() == "r" else self.c

    def put(self, dim: str, axes: tuple[Axis, ...]) -> ReceptiveField:
        """Replace the axes of rows or columns."""
        return replace(self, r=axes) if dim.lower() == "r" else replace(self, c=axes)

    def whole(self) -> ReceptiveField:
        """Merge the parts of rows and columns."""
        if not {"R", "C"} & set(self.dims):
            return self
        found = self
        for fold in {"R", "C"} & set(self.dims):
            found = found.put(fold, (_union(self.of(fold)),))
        return replace(found, dims=tuple("" if dim in "RC" else dim for dim in self.dims))

    def each(self, change: Callable[[Axis, int], Axis]) -> ReceptiveField:
        """Change both axes of an image (..., h, w); ``change`` also receives the index, 0 or 1."""
        found = self.whole()
        if "" in found.dims[-2:]:
            raise UntraceableError
        for place, dim in enumerate(found.dims[-2:]):
            found = found.put(dim, (change(found.of(dim)[0], place),))
        return found

    def union(self, other: ReceptiveField) -> ReceptiveField:
        """Return what either of two tensors sees, with last dimensions aligned (broadcasting)."""
        if self == other:
            return self
        one, two = self, other
        if [len(one.r), len(one.c)] != [len(two.r), len(two.c)]:
            one, two = one.whole(), two.whole()
        count = max(len(one.dims), len(two.dims))
        pairs = zip(_padded(one.dims, count), _padded(two.dims, count), strict=True)
        dims = tuple(a or b for a, b in pairs)
        if any(sum(dim == name for dim in dims) > 1 for name in "rcRC"):
            raise UntraceableError
        rows, columns = (
            tuple(a.union(b) for a, b in zip(one.of(dim), two.of(dim), strict=True)) for dim in "rc"
        )
        return ReceptiveField(dims, rows, columns)


class UntraceableError(Exception):
    """An operation that spans the image, or is unknown."""


def _union(axes: Sequence[Axis]) -> Axis:
    return reduce(Axis.union, axes)


def _padded(dims: tuple[str, ...], count: int) -> tuple[str, ...]:
    return ("",) * (count - len(dims)) + dims


def through_operation(
    name: str, field: ReceptiveField, args: Any, shape: tuple[int, ...], result: tuple[int, ...]
) -> ReceptiveField:
    """Return the receptive field after an operation on one tensor."""
    dims = field.dims
    if name in ("max_pool2d_with_indices", "avg_pool2d", "max_pool2d"):
        stride = args[2] if len(args) > 2 and args[2] else args[1]
        padding = args[3] if len(args) > 3 else [0]
        dilation = args[4] if name.startswith("max") and len(args) > 4 else [1]
        pairs = [_pair(value) for value in (args[1], stride, padding, dilation)]
        return field.each(lambda axis, k: window(axis, *(pair[k] for pair in pairs)))
    if name in ("reflection_pad2d", "replication_pad2d", "constant_pad_nd"):
        left, _, top, _ = (list(args[1]) + [0, 0, 0, 0])[:4]
        return field.each(lambda axis, k: axis.read(lambda i: (i - (top, left)[k],)))
    if name == "pixel_shuffle":
        return field.each(lambda axis, _: axis.resized(Fraction(args[1]), 0))
    if name == "pixel_unshuffle":
        return field.each(lambda axis, _: window(axis, args[1], args[1], 0))
    if "upsample_" in name:
        if "nearest" not in name and args[2]:
            raise UntraceableError  # aligned corners: positions depend on the image's size
        radius = 0 if "nearest" in name else 1 if "bilinear" in name else 2
        ratios = [Fraction(new, old) for new, old in zip(result[-2:], shape[-2:], strict=True)]
        if min(ratios) < 1 and not name.endswith("aa"):
            raise UntraceableError
        return field.each(lambda axis, k: axis.resized(ratios[k], radius))
    if name in ("slice", "select", "index_select", "split_with_sizes", "split", "unbind"):
        return _picked(name, field, args, shape)
    if name in ("permute", "transpose"):
        order = list(range(len(dims)))
        if name == "permute":
            order = [dim % len(dims) for dim in args[1]]
        else:
            one, two = (dim % len(dims) for dim in args[1:3])
            order[one], order[two] = two, one
        return replace(field, dims=tuple(dims[dim] for dim in order))
    if name == "unsqueeze":
        place = args[1] % len(result)
        return replace(field, dims=(*dims[:place], "", *dims[place:]))
    if name in ("expand", "repeat"):
        padded = _padded(dims, len(result))
        sizes = (1,) * (len(result) - len(shape)) + shape
        if any(dim and old != new for dim, old, new in zip(padded, sizes, result, strict=True)):
            raise UntraceableError
        return replace(field, dims=padded)
    if name in _VIEWS or name == "squeeze":
        return _viewed(field, shape, result)
    raise UntraceableError


def _pair(values: Any) -> list[int]:
    listed = list(values) if isinstance(values, list | tuple) else [values]
    return listed * (2 // len(listed))


def window(axis: Axis, size: int, stride: int, padding: int, dilation: int = 1) -> Axis:
    """Return the axis of a tensor whose pixels see windows of this one's."""
    places = range(-padding, (size - 1) * dilation - padding + 1, dilation)
    return axis.read(lambda i: (i * stride + place for place in places), 1, stride)


def through_convolution(field: ReceptiveField, args: Any) -> ReceptiveField:
    """Return the receptive field after a convolution, transposed or not."""
    sizes = args[1].shape[2:]
    if len(sizes) != 2:
        raise UntraceableError
    stride, padding, dilation = (_pair(value) for value in args[3:6])
    if not args[6]:
        return field.each(
            lambda axis, k: window(axis, sizes[k], stride[k], padding[k], dilation[k])
        )

    def spread(axis: Axis, k: int) -> Axis:
        def taps(pixel: int) -> list[int]:
            last = (pixel + padding[k]) // stride[k]
            first = -((sizes[k] - 1 - pixel - padding[k]) // stride[k])
            return list(range(first, last + 1)) or [last]

        return axis.read(taps, stride[k], 1)

    if dilation != [1, 1]:
        raise UntraceableError
    return field.each(spread)


def through_matrix(field: ReceptiveField, args: Any, source: Tensor) -> ReceptiveField:
    """Return the receptive field after a matrix that mixes rows or columns, as in resampling."""
    left = args[1] is source
    matrix = args[0] if left else args[1].mT
    place = -2 if left else -1
    dim = field.dims[place]
    if not dim or matrix.is_meta or math.prod(matrix.shape[:-2]) != 1:
        raise UntraceableError
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

    return field.put(dim, (field.of(dim)[0].read(shifted, every, moves),))


def through_mean(
    name: str, field: ReceptiveField, args: Any, source: Tensor, result: Tensor, pooled: bool
) -> ReceptiveField | None:
    """Return the receptive field after a mean over channels, or the image (None if ``pooled``)."""
    field = field.whole()
    every = "adaptive" in name or len(args) < 2 or not args[1]
    over = {dim % source.ndim for dim in (range(source.ndim) if every else args[1])}
    if any(field.dims[dim] for dim in over):
        if pooled:
            return None
        raise UntraceableError
    if result.ndim == source.ndim:
        return field
    return replace(field, dims=tuple(d for k, d in enumerate(field.dims) if k not in over))


def through_stack(fields: list[ReceptiveField], args: Any, result: Tensor) -> ReceptiveField:
    """Return the receptive field after a stack: next to rows or columns, members become parts."""
    place = (args[1] if len(args) > 1 else 0) % result.ndim
    dims = fields[0].dims
    before = dims[place - 1] if place else ""
    found = reduce(ReceptiveField.union, fields)
    dims = (*dims[:place], before.upper(), *dims[place:])
    if before and len(fields) == result.shape[place]:
        found = found.put(before, tuple(field.of(before)[0] for field in fields))
        return replace(found, dims=dims)
    return replace(found, dims=(*dims[:place], "", *dims[place + 1 :]))


def _picked(name: str, field: ReceptiveField, args: Any, shape: tuple[int, ...]) -> ReceptiveField:
    """Return the receptive field of a part of a tensor: of some pixels or some channels."""
    field = field.whole()
    place = 2 if name.startswith("split") else 1
    place = (args[place] if len(args) > place else 0) % len(shape)
    dim = field.dims[place]
    if name in ("select", "unbind"):
        if dim:
            raise UntraceableError
        return replace(field, dims=(*field.dims[:place], *field.dims[place + 1 :]))
    if not dim:
        return field
    axis = field.of(dim)[0]
    if name == "slice":
        start, step = (args[2] if len(args) > 2 else 0) or 0, args[4] if len(args) > 4 else 1
    elif name == "index_select" and not args[2].is_meta and len(args[2]) > 1:
        middle = len(args[2]) // 2
        start, step = int(args[2][middle]) - middle, 1  # borders are padding
        if int(args[2][middle - 1]) != start + middle - 1:
            raise UntraceableError
        return field.put(dim, (axis.read(lambda i: (i + start,)),))
    else:
        raise UntraceableError
    if start < 0:
        raise UntraceableError
    return field.put(dim, (axis.read(lambda i: (start + i * step,), 1, step),))


def _viewed(
    field: ReceptiveField, shape: tuple[int, ...], result: tuple[int, ...]
) -> ReceptiveField:
    """Return the receptive field after dimensions are split or merged."""
    dims: list[str] = []
    old = new = 0
    while old < len(shape) or new < len(result):
        # The smallest groups of dimensions with equal numbers of elements before and after.
        olds, news = [old] if old < len(shape) else [], [new] if new < len(result) else []
        old, new = old + len(olds), new + len(news)
        while (a := math.prod(shape[i] for i in olds)) != (b := math.prod(result[i] for i in news)):
            if a < b:
                olds.append(old)
                old += 1
            else:
                news.append(new)
                new += 1
        named = [field.dims[i] for i in olds if shape[i] != 1]
        made = [i for i in news if result[i] != 1]
        if not any(named):
            dims += [""] * len(news)
            continue
        main = named[0]
        if named == [main, main.upper()] and len(made) == 1 and main.islower():
            parts = field.of(main)
            period = math.lcm(*(len(part.spans) for part in parts))
            spans = [part.at(pixel) for pixel in range(period) for part in parts]
            step = parts[0].step * period // len(parts[0].spans)
            field, kept = field.put(main, (Axis(step, tuple(spans)),)), [main]
        elif named == [main] and main.islower() and len(made) == 1:
            kept = [main]
        elif named == [main] and main.islower() and len(made) == 2 and len(field.of(main)) == 1:
            count = result[made[1]]
            axis = field.of(main)[0]
            parts = tuple(_part(axis, part, count) for part in range(count))
            field, kept = field.put(main, parts), [main, main.upper()]
        elif not any(dim.islower() for dim in named):  # parts among the channels
            for fold in {dim for dim in named if dim}:
                field = field.put(fold, (_union(field.of(fold)),))
            kept = [""] * len(made)
        else:
            raise UntraceableError
        dims += [kept[made.index(i)] if i in made else "" for i in news]
    return replace(field, dims=tuple(dims))


def _part(axis: Axis, part: int, count: int) -> Axis:
    return axis.read(lambda i: (i * count + part,), 1, count)
