"""How far a network sees, found by following one call operation by operation."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from realdeg.backbones.parts.sight import (
    Axis,
    LostError,
    Sight,
    averaged,
    convolved,
    followed,
    multiplied,
    stacked,
    window,
)

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


def trace(
    call: Callable[[Tensor], Tensor],
    lr: Tensor,
    scale: Fraction | int,
    *,
    enlarged: Fraction | int = 1,
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
    axis = Axis(1, ((0, 0),))
    axis = axis if enlarged == 1 else axis.resized(Fraction(enlarged), 2)
    mode = _Follow(lr, Sight(("", "", "r", "c"), (axis,), (axis,)), pooled)
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
        for pixel in range(math.lcm(len(axis.spans), Fraction(scale).numerator)):
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
        # Of networks of any scale, whole ones are followed.
        scaled = "scale" in inspect.signature(type(network).forward).parameters
        self.told = {"scale": math.ceil(network.scale)} if scaled else {}

    def forward(self, lr: Tensor) -> Tensor:
        """Return the image."""
        output = self.network.forward(lr, **self.told)
        return output if isinstance(output, Tensor) else output.sr


def _local_reach(network: Backbone) -> int:
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

    def __init__(self, source: Tensor, sight: Sight, pooled: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lost, self.random, self.multiple, self.pooled = False, False, 1, pooled
        # Tensors are kept so that none of them is freed and its id taken by another.
        self._known: dict[int, tuple[Tensor, Sight]] = {id(source): (source, sight)}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # torch would import its compiler, 2 s, to leave this class out of it

    def sight(self, value: Any) -> Sight | None:
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
        except LostError:
            self.lost = True
        return result

    def _after(
        self, name: str, given: list[Tensor], args: Any, kwargs: dict[str, Any], result: Tensor
    ) -> Sight | None:
        """Return what an output of an operation sees."""
        seen = [(tensor, sight) for tensor in given if (sight := self.sight(tensor)) is not None]
        source, sight = seen[0]
        if name == "convolution" and len(seen) == 1:
            return convolved(sight, args)
        if name == "pixel_kernel_apply":
            side, stride = round(args[1].shape[1] ** 0.5), args[2]
            image, kernels = (self.sight(tensor) for tensor in args[:2])
            looks = [] if kernels is None else [kernels.whole()]
            if image is not None:
                looks.append(image.each(lambda axis, _: window(axis, side, stride, side // 2)))
            return looks[0] if len(looks) == 1 else looks[0].union(looks[1])
        if name in ("mm", "bmm"):
            return multiplied(sight, args, source)
        if name in _MEANS:
            return averaged(name, sight, args, source, result, self.pooled)
        if name == "stack":
            return stacked([one.whole() for _, one in seen], args, result)
        if name in ("cat", "_softmax"):
            if sight.whole().dims[args[1] % source.ndim if len(args) > 1 else 0]:
                raise LostError
        elif name in _POINTWISE:
            return self._pointwise(name, given, args, kwargs, result)
        elif len(seen) == 1:
            return followed(name, sight, args, tuple(source.shape), tuple(result.shape))
        else:
            raise LostError
        for _, other in seen[1:]:
            sight = sight.union(other)
        return sight

    def _pointwise(
        self, name: str, given: list[Tensor], args: Any, kwargs: dict[str, Any], result: Tensor
    ) -> Sight | None:
        found: Sight | None = None
        if name in ("add", "sub", "add_", "sub_") and kwargs.get("alpha") == 0:
            given = given[:1]
        if name == "mul" and isinstance(args[1], int | float) and args[1] == 0:
            return None
        for tensor in given:
            sight = self.sight(tensor)
            if sight is None:
                if "batch_norm" not in name and _is_map(tensor):  # its vectors are no places
                    raise LostError
                continue
            if _lengths(sight, tensor) != _lengths(sight, result):
                raise LostError  # one pixel is handed to all places
            found = sight if found is None else found.union(sight)
        return found

    def _note(self, tensor: Tensor, sight: Sight) -> None:
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


def _lengths(sight: Sight, tensor: Tensor) -> dict[str, int]:
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
