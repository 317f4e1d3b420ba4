"""The contract that every super-resolution network fulfils."""

from __future__ import annotations

import functools
import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, cast

from torch import Tensor, nn
from torch.export import register_dataclass

from realdeg.backbones.dialects import Dialect, adapt, read_form
from realdeg.backbones.parts.tracing import LocalReach
from realdeg.backbones.readings import Reading
from realdeg.errors import ConfigError, GeometryError
from realdeg.utils.argument_types import Component
from realdeg.utils.arguments import CapturesArguments
from realdeg.utils.scales import hr_length

Colour = Literal["y", "rgb"]
Upsample = Literal["pre", "post", "progressive", "iterative", "none"]
SameSizeForm = Literal["native", "unshuffle"]

CHANNELS: dict[str, int] = {"y": 1, "rgb": 3}
MOST_SCALE = 64
"""Networks that interpolate first are built for any scale up to this: papers go to 16."""


@dataclass
class Outputs:
    """What a network with several outputs returns.

    Attributes:
        sr: The super-resolved image (B, C, H, W).
        aux: Named further outputs, in the network's own numbers: levels of a pyramid, recursions,
            logits.
    """

    sr: Tensor
    aux: dict[str, Tensor] = field(default_factory=dict)

    def named(self) -> dict[str, Tensor]:
        """Return every output by name, the image itself as ``"sr"``."""
        return {"sr": self.sr, **self.aux}


# torch.export takes outputs apart, and wants to be told how.
register_dataclass(Outputs)


class Backbone(nn.Module, CapturesArguments, ABC):
    """A super-resolution network and what a task must know to run it.

    The attributes below are data that the task, the tiler and the config builder read. A class
    states what holds for all its instances; an instance may override them in ``__init__``. The
    network itself neither converts colours nor interpolates, unless its paper does so inside.

    A network is called with ``network(lr, scale=..., cond=...)``. The call is checked here, and
    ``forward`` is handed what its signature names: ``forward(self, lr)``, or ``scale`` and ``cond``
    beside that. It takes and gives numbers in [0, ``value_range``]: the task multiplies its [0, 1]
    images before and divides after.

    Args:
        scale: How much resolution is lost, 1 or more; a whole number unless ``any_scale``.
        same_size: The LR image lies on the HR grid already (same height and width as HR). The
            constructor of a class without a form for that need not list it: it takes False all the
            same.
        colour: ``"y"`` (one channel) or ``"rgb"`` (three); None: the class's.

    Attributes:
        colour: What it was built for.
        value_range: The number that stands for white, 1 or 255.
        scales: The scales that can be built; None means any. Not asked when ``same_size``.
        any_scale: ``scale`` may be any real number, each call may have its own, and weights serve
            them all.
        served: The scales that a call may name, unless ``any_scale`` or the input is on the HR grid
            already; what was built, where the class says nothing else.
        upsample: Where resolution is gained. ``"pre"``: the task interpolates the LR image
            (bicubic) to the HR grid before it calls ``forward``.
        same_size_form: How images of equal size are handled: ``"native"`` (the network keeps the
            size anyway), ``"unshuffle"`` (pixel unshuffle at the input) or None (not at all).
        size_multiple: The network works on blocks of that many input pixels. ``forward`` takes any
            size and pads and crops by itself; a tiler starts its tiles on multiples of it.
        halo: How many LR pixels away an input can still change an output by way of convolutions.
            Found by following a call when it is first asked for, and 0 where that cannot be done:
            networks with windows or attention set it.
        whole_image: Something (global pooling, for instance) reaches further than ``halo``, so
            tiles are an approximation.
        needs: Further things a call must give, such as ``("cond",)``; a ``forward`` whose ``cond``
            has no default says so by that.
        teacher_forced: In training, ``forward`` is given the HR image as ``cond``, which an
            autoregressive network continues pixel by pixel.
        brings_weights: The constructor makes all of the network, of a file or because there is
            nothing to learn, so no weights have to be named beside it.
        dialects: Other projects' names for its tensors.
        form_readings: How arguments that shapes depend on are read from the tensors.
        meaning_readings: How arguments are read that change what numbers mean and no shape.
        form_presets: For each preset, the arguments that it stands for, as far as they are read.
        form_subset: Arguments by which an instance may take less than a file holds.

    Raises:
        ConfigError: If the colour does not exist.
        GeometryError: If the network does not come in that geometry.
    """

    colour: Colour = "rgb"
    value_range: float = 1.0
    scales: tuple[int, ...] | None = None
    any_scale: bool = False
    served: tuple[int, ...]
    upsample: Upsample = "post"
    same_size_form: SameSizeForm | None = None
    size_multiple: int = 1
    halo: int = cast("int", LocalReach())
    whole_image: bool = False
    needs: tuple[str, ...] = ()
    teacher_forced: bool = False
    brings_weights: bool = False
    _handed_on: tuple[str, ...] = ()
    dialects: ClassVar[tuple[Dialect, ...]] = ()
    form_readings: ClassVar[Mapping[str, Reading]] = {}
    meaning_readings: ClassVar[Mapping[str, Reading]] = {}
    form_presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    form_subset: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, scale: float = 4, same_size: bool = False, colour: Colour | None = None
    ) -> None:
        super().__init__()
        self.scale: int = cast(Any, scale)  # an integer for all classes but those of any_scale
        self.served = (self.scale,)
        self.same_size = same_size
        if colour is not None:
            self.colour = colour
        self._check_geometry()
        if self.colour not in CHANNELS:
            raise ConfigError(
                f"colour of {type(self).__name__} is {self.colour!r}: it must be 'y' or 'rgb'."
            )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Read what the class takes from its signatures: of ``forward``, and of the constructor."""
        if cls.same_size_form is None and "__init__" in cls.__dict__:
            cls.__init__ = _refusing_same_size(cls.__init__)  # type: ignore[method-assign]
        super().__init_subclass__(**kwargs)
        if "forward" not in cls.__dict__:
            return
        takes = inspect.signature(cls.forward).parameters
        every = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in takes.values())
        cls._handed_on = tuple(name for name in ("scale", "cond") if every or name in takes)
        if "cond" in takes and takes["cond"].default is inspect.Parameter.empty:
            cls.needs = ("cond",)

    @classmethod
    @abstractmethod
    def example(cls) -> Backbone:
        """Return a tiny instance for tests and documentation."""

    @classmethod
    def rebuild(cls, arguments: Mapping[str, Any], state: Mapping[str, Tensor]) -> Backbone:
        """Make the instance that a self-describing file holds, before its tensors are loaded.

        A class whose arguments do not say everything overrides it: the tensors may say the rest.

        Args:
            arguments: The constructor's arguments, as the file gives them.
            state: The file's tensors.
        """
        return cls(**arguments)

    def __call__(
        self, lr: Tensor, *, scale: float | None = None, cond: Tensor | None = None
    ) -> Tensor | Outputs:
        """Super-resolve a batch, after making sure that the network can take it.

        Args:
            lr: The input (B, C, h, w) in [0, ``value_range``], on the HR grid where ``upsample``
                is ``"pre"`` or ``same_size`` holds.
            scale: The scale of this batch, for networks of several scales; None: ``self.scale``.
            cond: What a network that is told the degradation wants to know (B, K) or (B, K, h, w).

        Returns:
            The image (B, C, H, W) in [0, ``value_range``], not clamped, or :class:`Outputs`.

        Shape:
            (B, C, h, w) -> (B, C, H, W) with (H, W) = ``output_size(h, w)``.

        Raises:
            GeometryError: If channels, scale or condition do not fit this instance.
        """
        self.check_input(lr, scale, cond)
        told = {"scale": scale, "cond": cond}
        output: Tensor | Outputs = super().__call__(lr, **{n: told[n] for n in self._handed_on})
        return output

    @abstractmethod
    def forward(self, lr: Tensor, *args: Any, **kwargs: Any) -> Tensor | Outputs:
        """Compute what :meth:`__call__` returns, from an input that was checked.

        A subclass writes ``forward(self, lr)``; one that wants to know ``scale`` or ``cond`` adds
        ``*, scale=None`` or ``*, cond=None``.

        Args:
            lr: The input of the call.
            *args: Nothing: what follows is handed on by name.
            **kwargs: Those of ``scale`` and ``cond`` that the subclass's signature names.
        """

    @property
    def channels(self) -> int:
        """How many channels go in and come out."""
        return CHANNELS[self.colour]

    def output_size(self, height: int, width: int, scale: float | None = None) -> tuple[int, int]:
        """Return the output's height and width for an input of ``forward``.

        Args:
            height: The input's height in pixels.
            width: The input's width in pixels.
            scale: The scale of the call; None: ``self.scale``.
        """
        if self.same_size or self.upsample in ("pre", "none"):
            return height, width
        factor = self.scale if scale is None else scale
        if isinstance(factor, int):  # exact, and torch.export can follow it for any size
            return height * factor, width * factor
        return hr_length(height, factor), hr_length(width, factor)

    def targets(self, hr: Tensor) -> dict[str, Tensor]:
        """Say what ``aux`` outputs are compared with.

        Args:
            hr: The HR image (B, C, H, W) in [0, ``value_range``].

        Returns:
            The target of each ``aux`` output by name, in that output's own numbers. An output that
            is not named is compared with ``hr`` as it is given here.
        """
        return {}

    @classmethod
    def form_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the arguments that the tensors of a file tell.

        Args:
            state: The tensors as they were stored, of any dialect.

        Returns:
            Arguments by name, as the readings and the dialects say; empty where nothing
            is known of such a file.
        """
        return read_form(cls, state)

    def parts_of(self) -> dict[str, str]:
        """Return what this instance takes of a file of several networks or scales.

        Returns:
            What names begin with in the file, and here; empty: it takes them all.
        """
        return {}

    def adapt_state(self, state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """Translate the tensors of a file by the ``dialects`` of the class.

        Args:
            state: The tensors as they were stored.
            where: The file they come from, for messages.

        Returns:
            The tensors under this class's names; what is not recognised stays as it is.

        Raises:
            CheckpointError: If the weights are of a network that this instance cannot be.
        """
        return adapt(self, state, where)

    def check_input(
        self, lr: Tensor, scale: float | None = None, cond: Tensor | None = None
    ) -> None:
        """Refuse what the network cannot take; every call is checked by it, before ``forward``.

        Args:
            lr: The input of ``forward``.
            scale: The scale of the call.
            cond: The condition of the call.

        Raises:
            GeometryError: If channels, scale or condition do not fit this instance.
        """
        name = type(self).__name__
        if lr.ndim != 4 or lr.shape[1] != self.channels:
            raise GeometryError(
                f"{name} works on colour '{self.colour}' and takes (B, {self.channels}, h, w),"
                f" got {tuple(lr.shape)}: convert the image, or build {name} with the other colour."
            )
        if scale is not None and self.any_scale and not _is_scale(scale, whole=False):
            raise GeometryError(f"{name} is called with scale {scale!r}: it takes 1 or more.")
        fixed = not self.any_scale and self.upsample not in ("pre", "none")
        if scale is not None and fixed and scale not in self.served:
            if len(self.served) > 1:
                raise GeometryError(
                    f"{name} is called with scale {scale:g}: this instance serves"
                    f" {', '.join(map(str, self.served))}."
                )
            raise GeometryError(
                f"{name} was built for scale {self.scale} and is called with scale {scale}:"
                f" build it with scale={scale}."
            )
        if cond is None and "cond" in self.needs:
            raise GeometryError(f"{name} is told the degradation: call it with cond=.")

    def _check_geometry(self) -> None:
        name = type(self).__name__
        if not _is_scale(self.scale, whole=not self.any_scale):
            kind = "any number" if self.any_scale else "a whole number"
            raise GeometryError(
                f"scale of {name} is {self.scale!r}: it must be {kind}, 1 or more (and at most"
                f" {MOST_SCALE})."
            )
        if self.same_size:
            if self.same_size_form is None:
                raise _no_same_size(self)
        elif self.scales is not None and self.scale not in self.scales:
            form = " or same_size=True with any scale" if self.same_size_form else ""
            raise GeometryError(
                f"{name} does not come in scale {self.scale}: it has"
                f" {', '.join(map(str, self.scales))}{form}."
            )


def _no_same_size(network: Backbone) -> GeometryError:
    fits = "any" if network.scales is None else ", ".join(map(str, network.scales))
    return GeometryError(
        f"{type(network).__name__} has no form for LR and HR of the same size (same_size=True): use"
        f" same_size=False (scales: {fits}) or a backbone with such a form."
    )


def _refusing_same_size(init: Callable[..., None]) -> Callable[..., None]:
    """Have a constructor that does not list ``same_size`` take False, and refuse True.

    Configs and files of weights state the geometry, whatever the network.
    """
    signature = inspect.signature(init)
    listed = list(signature.parameters.values())
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    if "same_size" in signature.parameters or any(each.kind in kinds for each in listed):
        return init

    @functools.wraps(init)
    def wrapped(self: Backbone, *args: Any, same_size: bool = False, **kwargs: Any) -> None:
        if same_size:
            raise _no_same_size(self)
        init(self, *args, **kwargs)

    added = inspect.Parameter(
        "same_size", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool
    )
    wrapped.__signature__ = signature.replace(parameters=[*listed, added])  # type: ignore[attr-defined]
    return wrapped


def _is_scale(value: object, *, whole: bool) -> bool:
    """Say whether a value is a scale: from 1 on, and an integer where that is wanted."""
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return 1 <= value <= MOST_SCALE


BackboneLike: TypeAlias = Annotated[
    Backbone | Mapping[str, Any] | str | os.PathLike[str], Component("backbone")
]
"""A backbone, its config, its registered name or the path of a self-describing file."""
