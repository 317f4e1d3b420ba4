"""The receptive field of a network, found by tracing one call operation by operation."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from realdeg.backbones.parts.receptive_field import (
    Axis,
    ReceptiveField,
    UntraceableError,
    through_convolution,
    through_matrix,
    through_mean,
    through_operation,
    through_stack,
    window,
)

if TYPE_CHECKING:
    from realdeg.backbones.base import Backbone

logger = logging.getLogger(__name__)

# Each output pixel depends only on input pixels at the same position, in any channels.
_POINTWISE = frozenset(
    """abs add add_ addcmul alias batch_norm bitwise_and celu clamp clamp_ clamp_max clamp_min
    clone contiguous copy_ cos detach div div_ elu elu_ empty_like eq erf exp fill_ ge gelu
    gt hardsigmoid hardswish hardswish_ hardtanh hardtanh_ le leaky_relu leaky_relu_ lerp lift_fresh
    log lt masked_fill maximum minimum mish mish_ mul mul_ native_batch_norm
    _native_batch_norm_legit _native_batch_norm_legit_no_training neg new_zeros new_ones ones_like
    pow _prelu_kernel reciprocal relu relu_ rsqrt rsub sigmoid sigmoid_ sign silu silu_ sin
    softplus sqrt sub sub_ tanh tanh_ _to_copy where zeros_like zero_""".split()
)
# Those of them that are computed here without values, as torch takes long for it.
_QUICK = frozenset(
    """add div elu gelu hardtanh leaky_relu mul _prelu_kernel relu sigmoid silu sub tanh""".split()
)
_BATCH_NORMS = frozenset(
    """native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training""".split()
)
_RANDOM = frozenset(
    """bernoulli bernoulli_ normal normal_ native_dropout rand rand_like randint randint_like randn
    randn_like randperm uniform_""".split()
)
_MEANS = frozenset(("mean", "sum", "amax", "amin", "_adaptive_avg_pool2d", "adaptive_avg_pool2d"))
_SIDE = 24


@dataclass(frozen=True)
class Trace:
    """The result of tracing one call of a network.

    Attributes:
        halo: The receptive-field radius in LR pixels; None: something spans the whole image, or
            cannot be traced.
        multiple: LR pixels per pixel of the coarsest tensor: tiles start on multiples of it.
        random: The call drew random numbers.
    """

    halo: int | None
    multiple: int
    random: bool


def trace(
    call: Callable[[Tensor], Tensor],
    lr: Tensor,
    scale: Fraction | int,
    *,
    enlarged: Fraction | int = 1,
    pooled: bool = False,
) -> tuple[Trace, Tensor]:
    """Run a network once and trace which input pixels its output pixels depend on.

    Convolutions, pooling, resampling, padding, cropping and pixel shuffles are traced exactly;
    pointwise operations change nothing. With anything else (means over the image, attention,
    windows, unknown operations) the halo is unknown.

    Args:
        call: The network, in the mode in which it will be used.
        lr: An input (B, C, h, w). If it and the weights are on the device "meta", nothing is
            computed.
        scale: Output over LR size.
        enlarged: The factor by which the input was interpolated (bicubic) from LR.
        pooled: Ignore means over the whole image.

    Returns:
        The trace, and the output of the call.
    """
    axis = Axis(1, ((0, 0),))
    axis = axis if enlarged == 1 else axis.resized(Fraction(enlarged), 2)
    mode = _Tracer(lr, ReceptiveField(("", "", "r", "c"), (axis,), (axis,)), pooled)
    with torch.no_grad(), mode:
        output = call(lr)
    field = mode.field(output)
    lost = Trace(None, 1, mode.random), output
    if mode.lost or field is None or field.dims[-2:] != ("r", "c"):
        return lost
    radii = [1]
    for axis in (field.whole().r[0], field.whole().c[0]):
        if axis.step * scale != len(axis.spans):
            return lost
        for pixel in range(math.lcm(len(axis.spans), Fraction(scale).numerator)):
            first, last = axis.at(pixel)
            radii += [pixel // scale - first, last - pixel // scale]
    return Trace(max(radii), mode.multiple, mode.random), output


class TracedHalo:
    """The attribute ``halo`` of a network that does not set it: computed on first access.

    A call is traced without values (device "meta"), once for a class and its arguments. Means over
    the whole image are covered by ``whole_image`` instead. Windows and attention cannot be traced:
    networks that have them set their halo.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[type, str], int] = {}

    def __get__(self, network: Backbone | None, owner: type) -> Any:
        if network is None:
            return self
        key = (owner, repr(sorted(network.arguments.items())))
        if key not in self._found:
            self._found[key] = _traced_halo(network)
        network.__dict__["halo"] = self._found[key]
        return self._found[key]


class _Forward(nn.Module):
    """A network's ``forward`` alone, without hooks."""

    def __init__(self, network: Backbone) -> None:
        super().__init__()
        self.network = network
        # Networks of any scale are traced at a whole one.
        scaled = "scale" in inspect.signature(type(network).forward).parameters
        self.options = {"scale": math.ceil(network.scale)} if scaled else {}

    def forward(self, lr: Tensor) -> Tensor:
        """Return the image."""
        output = self.network.forward(lr, **self.options)
        return output if isinstance(output, Tensor) else output.sr


def _traced_halo(network: Backbone) -> int:
    alone = _Forward(network)
    state = {
        name: tensor.to("meta")
        for name, tensor in (*alone.named_parameters(), *alone.named_buffers())
    }
    interpolated = network.upsample == "pre"
    scale = Fraction(network.scale).limit_denominator(100) if interpolated else network.scale
    factor = 1 if network.same_size else scale if interpolated else math.ceil(scale)
    block = network.size_multiple
    side = -(-_SIDE // block) * block
    numbers = next((t.dtype for t in state.values() if t.is_floating_point()), torch.float32)
    lr = torch.empty(1, network.channels, side, side + block, device="meta", dtype=numbers)
    try:
        traced, _ = trace(
            lambda image: functional_call(alone, state, (image,)),
            lr,
            1 if network.upsample == "none" else factor,
            enlarged=factor if interpolated else 1,
            pooled=True,
        )
    except Exception as error:  # a network that reads values, or refuses this size
        logger.debug("a call without values", exc_info=error)
        traced = Trace(None, 1, False)
    if traced.halo is None:
        logger.warning(
            "The receptive field of %s cannot be traced: its tiles do not overlap unless it sets"
            " its halo.",
            type(network).__name__,
        )
    return traced.halo or 0


class _Tracer(TorchDispatchMode):
    """Records the receptive field of every tensor that depends on the input."""

    def __init__(self, source: Tensor, field: ReceptiveField, pooled: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lost, self.random, self.multiple, self.pooled = False, False, 1, pooled
        # Tensors are kept alive so that no id is reused.
        self._known: dict[int, tuple[Tensor, ReceptiveField]] = {id(source): (source, field)}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler, which takes 2 s

    def field(self, value: Any) -> ReceptiveField | None:
        """Return a tensor's receptive field; None if it does not depend on the input."""
        found = self._known.get(id(value))
        return None if found is None else found[1]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation, and record the receptive fields of its outputs."""
        kwargs = dict(kwargs or {})
        given = _tensors([*args, *kwargs.values()])
        name = func.overloadpacket.__name__
        self.random = self.random or name in _RANDOM
        result = _run(func, name, given, args, kwargs)
        if self.lost or not any(self.field(tensor) for tensor in given):
            return result
        try:
            for tensor in _tensors([result]):
                # Batch normalisation returns statistics beside its image.
                if tensor.numel() and not (tensor.ndim == 1 and "batch_norm" in name):
                    field = self._after(name, given, args, kwargs, tensor)
                    if field is not None:
                        self._note(tensor, field)
        except UntraceableError:
            self.lost = True
        return result

    def _after(
        self, name: str, given: list[Tensor], args: Any, kwargs: dict[str, Any], result: Tensor
    ) -> ReceptiveField | None:
        """Return the receptive field of an operation's output."""
        seen = [(tensor, field) for tensor in given if (field := self.field(tensor)) is not None]
        source, field = seen[0]
        if name == "convolution" and len(seen) == 1:
            return through_convolution(field, args)
        if name == "pixel_kernel_apply":
            side, stride = round(args[1].shape[1] ** 0.5), args[2]
            image, kernels = (self.field(tensor) for tensor in args[:2])
            fields = [] if kernels is None else [kernels.whole()]
            if image is not None:
                fields.append(image.each(lambda axis, _: window(axis, side, stride, side // 2)))
            return reduce(ReceptiveField.union, fields)
        if name in ("mm", "bmm"):
            return through_matrix(field, args, source)
        if name in _MEANS:
            return through_mean(name, field, args, source, result, self.pooled)
        if name == "stack":
            return through_stack([one.whole() for _, one in seen], args, result)
        if name in ("cat", "_softmax"):
            if field.whole().dims[args[1] % source.ndim if len(args) > 1 else 0]:
                raise UntraceableError
        elif name in _POINTWISE:
            return self._pointwise(name, given, args, kwargs, result)
        elif len(seen) == 1:
            return through_operation(name, field, args, tuple(source.shape), tuple(result.shape))
        else:
            raise UntraceableError
        for _, other in seen[1:]:
            field = field.union(other)
        return field

    def _pointwise(
        self, name: str, given: list[Tensor], args: Any, kwargs: dict[str, Any], result: Tensor
    ) -> ReceptiveField | None:
        found: ReceptiveField | None = None
        if name in ("add", "sub", "add_", "sub_") and kwargs.get("alpha") == 0:
            given = given[:1]
        if name == "mul" and isinstance(args[1], int | float) and args[1] == 0:
            return None
        for tensor in given:
            field = self.field(tensor)
            if field is None:
                if "batch_norm" not in name and _is_map(tensor):
                    raise UntraceableError
                continue
            if tensor.shape != result.shape and _lengths(field, tensor) != _lengths(field, result):
                raise UntraceableError  # one pixel is broadcast over the image
            found = field if found is None else found.union(field)
        return found

    def _note(self, tensor: Tensor, field: ReceptiveField) -> None:
        for axis in (*field.r, *field.c):
            pitch = Fraction(axis.step, len(axis.spans))
            if pitch.denominator == 1 and len(field.r) == len(field.c) == 1:
                self.multiple = math.lcm(self.multiple, pitch.numerator)
        before = self.field(tensor)
        self._known[id(tensor)] = (tensor, field)
        if before is None or before == field:
            return
        # Written in place: everything that shares the memory sees as much now.
        store = tensor.untyped_storage()._cdata
        for key, (other, known) in list(self._known.items()):
            if other.untyped_storage()._cdata == store:
                self._known[key] = (other, known.union(field))


def _run(func: Any, name: str, given: list[Tensor], args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation; what depends on no weights is computed, so that indices have values."""
    on_meta = [tensor.is_meta for tensor in given]
    if on_meta and all(on_meta):
        first = given[0]
        if name in _QUICK and first.is_floating_point() and len({t.dtype for t in given}) == 1:
            # torch.broadcast_shapes imports sympy.
            return first.new_empty(torch.broadcast_tensors(*given)[0].shape)
        if name in _BATCH_NORMS:
            return torch.empty_like(first), first.new_empty(0), first.new_empty(0)
    elif any(on_meta):
        # Next to tensors without values, values do not matter.
        args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.to("meta"), (args, kwargs))
    elif kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "meta":
        kwargs = {**kwargs, "device": torch.device("cpu")}
    return func(*args, **kwargs)


def _lengths(field: ReceptiveField, tensor: Tensor) -> dict[str, int]:
    """Return a tensor's lengths along the axes of the image."""
    count = min(len(field.dims), tensor.ndim)
    sizes = zip(field.dims[-count:], tensor.shape[-count:], strict=True)
    return {dim: size for dim, size in sizes if dim}


def _is_map(tensor: Tensor) -> bool:
    """Tell whether a tensor varies over the image, as position embeddings do."""
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
