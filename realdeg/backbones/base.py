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
from typing_extensions import Self

from realdeg.backbones.dialects import Dialect, adapt, read_form
from realdeg.backbones.display import ShowsNetwork
from realdeg.backbones.parts.tracing import TracedHalo
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
"""The largest scale of networks that interpolate first; papers go to 16."""


@dataclass
class Outputs:
    """What a network with several outputs returns.

    Attributes:
        sr: The super-resolved image (B, C, H, W).
        aux: Additional outputs by name, in the network's own units: levels of a pyramid,
            recursions, logits.
    """

    sr: Tensor
    aux: dict[str, Tensor] = field(default_factory=dict)

    def named(self) -> dict[str, Tensor]:
        """Return every output by name, the image itself as ``"sr"``."""
        return {"sr": self.sr, **self.aux}


# So that torch.export can flatten it.
register_dataclass(Outputs)


class Backbone(ShowsNetwork, CapturesArguments, nn.Module, ABC):
    """A super-resolution network and what a task must know to run it.

    The attributes below are metadata that the task, the tiler and the config builder read. A class
    states what holds for all its instances; an instance may override them in ``__init__``. The
    network itself neither converts colours nor interpolates, unless its paper does so inside.

    Call it as ``network(lr, scale=..., cond=...)``. The call is checked here, and ``forward``
    receives what its signature names: ``forward(self, lr)``, plus ``scale`` and ``cond`` if listed.
    Values lie in [0, ``value_range``]: the task multiplies its [0, 1] images before the call and
    divides after it.

    Args:
        scale: HR over LR size, 1 or more; a whole number unless ``any_scale``.
        same_size: The LR image already lies on the HR grid (same height and width as HR). A class
            without a form for that need not list it: False is accepted all the same.
        colour: ``"y"`` (one channel) or ``"rgb"`` (three); None: the class's.

    Attributes:
        colour: The colour it was built for.
        value_range: The value of white, 1 or 255.
        scales: The scales that can be built; None means any. Ignored when ``same_size``.
        any_scale: ``scale`` may be any real number and may differ from call to call, with the same
            weights.
        served: The scales that a call may name; by default the one it was built for. Ignored if
            ``any_scale`` or if the input is already on the HR grid.
        upsample: Where resolution is gained. ``"pre"``: the task interpolates the LR image
            (bicubic) to the HR grid before it calls ``forward``.
        same_size_form: How images of equal size are handled: ``"native"`` (the network keeps the
            size anyway), ``"unshuffle"`` (pixel unshuffle at the input) or None (not at all).
        size_multiple: The network works on blocks of that many input pixels. ``forward`` takes any
            size and pads and crops by itself; a tiler starts its tiles on multiples of it.
        halo: Receptive-field radius in LR pixels: how far away an input can still change an output
            through convolutions. Computed by tracing a call on first access, and 0 where that
            fails; networks with windows or attention set it.
        whole_image: Something (global pooling, for instance) reaches beyond ``halo``, so tiled
            results are an approximation.
        needs: Additional arguments that a call requires, such as ``("cond",)``; filled in for a
            ``forward`` whose ``cond`` has no default.
        teacher_forced: In training, ``forward`` receives the HR image as ``cond``; an
            autoregressive network continues it pixel by pixel.
        draws: The output is drawn at random, so the mean of several is none of its images.
        brings_weights: The constructor needs no separate weights: it reads a file, or there is
            nothing to learn.
        zero_shot: It trains on each image that it is called with (:mod:`realdeg.zero_shot`), so
            it takes the image as a whole and once.
        takes_kernel: ``cond`` is a blur kernel alone, which :meth:`cond_of_kernel` makes.
        takes_map: ``cond`` may be a map of codes, (B, K, h, w) of the input's height and width,
            that differ from pixel to pixel; of equal codes it means the same as one of them.
        told_reduction: :meth:`condition_of` uses the kernel of the whole reduction
            (``reduction``); else that of the blur before it (``kernel``).
        refused_formats: For the suffix of a weights file why it does not fit, although its
            tensors would.
        dialects: Other projects' names for its tensors.
        form_readings: How arguments that determine shapes are read from the tensors.
        meaning_readings: How arguments are read that change what values mean but no shape.
        form_presets: For each preset, the arguments that it stands for, as far as they are read.
        form_subset: Arguments with which an instance may use only a part of a file.
        example_arguments: The arguments of :meth:`example`.

    Raises:
        ConfigError: If arguments do not describe a network.
        GeometryError: If the network does not exist in that geometry.
    """

    colour: Colour = "rgb"
    value_range: float = 1.0
    scales: tuple[int, ...] | None = None
    any_scale: bool = False
    served: tuple[int, ...]
    upsample: Upsample = "post"
    same_size_form: SameSizeForm | None = None
    size_multiple: int = 1
    halo: int = cast("int", TracedHalo())
    whole_image: bool = False
    needs: tuple[str, ...] = ()
    teacher_forced: bool = False
    draws: bool = False
    brings_weights: bool = False
    zero_shot: bool = False
    takes_kernel: bool = False
    takes_map: bool = False
    told_reduction: bool = False
    refused_formats: ClassVar[Mapping[str, str]] = {}
    _passed_on: tuple[str, ...] = ()
    dialects: ClassVar[tuple[Dialect, ...]] = ()
    form_readings: ClassVar[Mapping[str, Reading]] = {}
    meaning_readings: ClassVar[Mapping[str, Reading]] = {}
    form_presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    form_subset: ClassVar[tuple[str, ...]] = ()
    example_arguments: ClassVar[Mapping[str, Any]] = {}

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
        """Find out from the signatures of ``forward`` and ``__init__`` what the class accepts."""
        if cls.same_size_form is None and "__init__" in cls.__dict__:
            cls.__init__ = _refusing_same_size(cls.__init__)  # type: ignore[method-assign]
        super().__init_subclass__(**kwargs)
        if "forward" not in cls.__dict__:
            return
        takes = inspect.signature(cls.forward).parameters
        every = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in takes.values())
        cls._passed_on = tuple(name for name in ("scale", "cond") if every or name in takes)
        if "cond" in takes and takes["cond"].default is inspect.Parameter.empty:
            cls.needs = ("cond",)

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance (``example_arguments``) for tests and documentation."""
        return cls(**cls.example_arguments)

    @classmethod
    def rebuild(cls, arguments: Mapping[str, Any], state: Mapping[str, Tensor]) -> Backbone:
        """Create the instance that a self-describing file holds, before its tensors are loaded.

        Override it where the arguments alone do not determine the network.

        Args:
            arguments: The constructor's arguments, as the file gives them.
            state: The file's tensors.
        """
        return cls(**arguments)

    def __call__(
        self, lr: Tensor, *, scale: float | None = None, cond: Tensor | None = None
    ) -> Tensor | Outputs:
        """Check a batch and super-resolve it.

        Args:
            lr: The input (B, C, h, w) in [0, ``value_range``], on the HR grid where ``upsample``
                is ``"pre"`` or ``same_size`` holds.
            scale: The scale of this batch, for networks of several scales; None: ``self.scale``.
            cond: The degradation, for networks that use it: (B, K) or (B, K, h, w).

        Returns:
            The image (B, C, H, W) in [0, ``value_range``], not clamped, or :class:`Outputs`.

        Shape:
            (B, C, h, w) -> (B, C, H, W) with (H, W) = ``output_size(h, w)``.

        Raises:
            GeometryError: If channels, scale or condition do not fit this instance.
        """
        self.check_input(lr, scale, cond)
        options = {"scale": scale, "cond": cond}
        output: Tensor | Outputs = super().__call__(lr, **{n: options[n] for n in self._passed_on})
        return output

    @abstractmethod
    def forward(self, lr: Tensor, *args: Any, **kwargs: Any) -> Tensor | Outputs:
        """Compute what :meth:`__call__` returns, from an input that was checked.

        A subclass writes ``forward(self, lr)``; one that uses ``scale`` or ``cond`` adds
        ``*, scale=None`` or ``*, cond=None``.
        """

    @property
    def channels(self) -> int:
        """Number of input and output channels."""
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
        """Return the targets of ``aux`` outputs by name, each in the units of its output.

        An output without an entry is compared with ``hr`` itself, (B, C, H, W) in
        [0, ``value_range``].
        """
        return {}

    @classmethod
    def form_of(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the arguments that can be read from a file's tensors, of any dialect."""
        return read_form(cls, state)

    def parts_of(self) -> dict[str, str]:
        """Return the parts to load from a file that holds several networks or scales.

        Returns:
            For each prefix of names in the file the prefix here; empty: everything is loaded.
        """
        return {}

    def condition_of(self, conditions: Mapping[str, Any]) -> Tensor | None:
        """Return what the network is told of one image, a part of ``cond``; None: nothing.

        A network that is told the degradation overrides it. Tasks call it for LR that they made.

        Args:
            conditions: What the degradation's ``condition`` returned for the image's trace.

        Returns:
            Shape (K,) or (K, h, w).
        """
        return None

    @classmethod
    def told_of(cls, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what a network of a config must be told: of ``kernel`` and ``noise_level``.

        A recipe whose degradation does not state it is refused.
        """
        return ()

    def cond_of_kernel(self, kernel: Tensor) -> Tensor:
        """Return ``cond`` for a kernel, of networks with ``takes_kernel``.

        Args:
            kernel: The kernel of the whole reduction, correlated and centred on the LR pixels,
                (k, k) with sum 1.
        """
        return kernel[None, None].float()

    def adapt_state(self, state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """Translate the tensors of a file to this class's names by its ``dialects``.

        Args:
            state: The tensors as they were stored; names that are not recognised stay.
            where: The file they come from, for messages.

        Raises:
            CheckpointError: If the weights belong to a different network.
        """
        return adapt(self, state, where)

    def check_input(
        self, lr: Tensor, scale: float | None = None, cond: Tensor | None = None
    ) -> None:
        """Refuse what ``forward`` cannot process; the arguments are those of :meth:`__call__`."""
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
            raise GeometryError(f"{name} needs the degradation: call it with cond=.")

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
                f"{name} does not exist at scale {self.scale}: it has"
                f" {', '.join(map(str, self.scales))}{form}."
            )


def _no_same_size(network: Backbone) -> GeometryError:
    fits = "any" if network.scales is None else ", ".join(map(str, network.scales))
    return GeometryError(
        f"{type(network).__name__} has no form for LR and HR of the same size (same_size=True): use"
        f" same_size=False (scales: {fits}) or a backbone with such a form."
    )


def _refusing_same_size(init: Callable[..., None]) -> Callable[..., None]:
    """Let a constructor that does not list ``same_size`` accept False and refuse True.

    Configs and weight files state the geometry for every network.
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
    """Tell whether a value is a scale from 1 to MOST_SCALE, an integer if ``whole``."""
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return 1 <= value <= MOST_SCALE


BackboneLike: TypeAlias = Annotated[
    Backbone | Mapping[str, Any] | str | os.PathLike[str], Component("backbone")
]
"""A backbone, its config, its registered name or the path of a self-describing file."""
