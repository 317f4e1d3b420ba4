"""Evaluation protocols, which define the scores.

PSNR of the same pair of images differs by more than a decibel with colour, border or range, so
every score carries the name of its protocol. ``docs/protocols.md`` explains each one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeVar

from realdeg.errors import ConfigError, nearest
from realdeg.utils.argument_types import Count, Positive, Whole
from realdeg.utils.arguments import check_constructor

Colour = Literal["y", "rgb"]
Rounding = Literal["uint8-y", "uint8-rgb", "none"]
SsimWindow = Literal["gaussian-11", "uniform-7"]
Grey = Literal["replicated", "as-is"]
Shown = Literal["output", "picture"]


@check_constructor
@dataclass(frozen=True)
class Protocol:
    """Everything between a prediction and its score.

    Args:
        name: Added in brackets to every label, ``psnr[name]``.
        colour: ``"y"`` (BT.601 studio-range luma, 16..235) or ``"rgb"``.
        border: Pixels cropped from every side after ``mod_crop``; ``"scale"`` means the scale.
        rounding: Where 8-bit rounding (half up, clipped to 0..255) takes place.
            ``"uint8-rgb"``: prediction and target are rounded to 8-bit RGB, their luma is not.
            ``"uint8-y"``: the luma of both is rounded as well. ``"none"``: only clipped.
            A prediction that has only Y is rounded once, as Y, unless ``"none"``.
        tile: Side in pixels of square tiles that count as independent samples, or None. An image
            is tiled only where both of its sides exceed ``tile``.
        stride: Distance between tiles in pixels; the last tile of a row or column always ends at
            the border.
        mod_crop: Both images are cropped at the lower right to a multiple of it; ``"scale"`` means
            the scale.
        psnr_peak: Peak value of PSNR on the 0..255 scale.
        ssim_window: ``"gaussian-11"`` (Wang et al. 2004: sigma 1.5, biased moments) or
            ``"uniform-7"`` (the default of scikit-image: unbiased moments).
        ssim_range: Dynamic range L of SSIM on the 0..255 scale.
        ssim_rounding: The rounding before SSIM and MS-SSIM where it is another than that before
            PSNR; None: ``rounding``.
        ssim_floor: The least value that a place of the contrast-structure map counts with: -1 as
            Wang et al. define it, or 0.
        grey: What Y is for files with one channel. ``"replicated"``: they become RGB, whose luma
            spans 16..235, so errors shrink and PSNR is 1.32 dB higher. ``"as-is"``: the channel
            itself, 0..255.
        measured: What is measured for a network that has only Y: its ``"output"``, or the luma of
            the ``"picture"``, the RGB image of its Y and the enlarged chroma of LR.
        description: One sentence for users.
        source: The origin of the procedure.

    Raises:
        ConfigError: If a field has an invalid value.
    """

    name: str
    colour: Colour = "y"
    border: Whole | Literal["scale"] = 0
    rounding: Rounding = "uint8-rgb"
    tile: Count | None = None
    stride: Count | None = None
    mod_crop: Count | Literal["scale"] = 1
    psnr_peak: Positive = 255.0
    ssim_window: SsimWindow = "gaussian-11"
    ssim_range: Positive = 255.0
    ssim_rounding: Rounding | None = None
    ssim_floor: Literal[-1, 0] = -1
    grey: Grey = "replicated"
    measured: Shown = "output"
    description: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse values that contradict each other."""
        for field in ("rounding", "ssim_rounding"):
            if self.colour == "rgb" and getattr(self, field) == "uint8-y":
                raise self._refusal(field, "uint8-y", "'uint8-rgb' or 'none' for RGB")
        if (self.tile is None) != (self.stride is None):
            raise self._refusal("tile", self.tile, "given together with 'stride', or neither")

    def _refusal(self, field: str, value: object, wanted: str) -> ConfigError:
        return ConfigError(
            f"protocol '{self.name}': '{field}' is {value!r}, but it has to be {wanted}."
        )

    def border_for(self, scale: float) -> int:
        """Return the pixels cropped from every side at a scale, rounded up."""
        return math.ceil(scale) if self.border == "scale" else self.border

    def mod_crop_for(self, scale: float) -> float:
        """Return the multiple that sides are cropped to at a scale."""
        return scale if self.mod_crop == "scale" else self.mod_crop

    def for_ssim(self) -> Protocol:
        """Return the protocol with the rounding of SSIM as its rounding."""
        rounding = self.ssim_rounding
        return self if rounding in (None, self.rounding) else replace(self, rounding=rounding)

    def label(self, metric: str) -> str:
        """Return the label of a score under this protocol, ``"psnr[rgb]"``."""
        return f"{metric}[{self.name}]"

    def summary(self) -> str:
        """Return the settings in one line, for logs and reports."""
        colour = "Y (BT.601, 16..235)" if self.colour == "y" else "RGB"
        roundings = {
            "uint8-y": "luma rounded to 8 bit",
            "uint8-rgb": "RGB rounded to 8 bit" + (", luma not" if self.colour == "y" else ""),
            "none": "no rounding",
        }
        rounding = roundings[self.rounding]
        border = {"scale": "scale px shaved", 0: "no border shaved"}.get(
            self.border, f"{self.border} px shaved"
        )
        tiles = "whole images"
        if self.tile is not None:
            tiles = f"tiles of {self.tile} px every {self.stride} px as samples of their own"
        ssim = {"gaussian-11": "11 x 11 Gaussian", "uniform-7": "7 x 7 uniform"}[self.ssim_window]
        if self.for_ssim() is not self:
            ssim = f"{roundings[self.for_ssim().rounding]}, {ssim}"
        if self.ssim_floor == 0:
            ssim += ", negative contrast counted as 0"
        if self.measured == "picture":
            colour += " of the RGB picture"
        grey = ", grey files as they are" if self.grey == "as-is" and self.colour == "y" else ""
        crop = "" if self.mod_crop == 1 else f", cut to a multiple of {self.mod_crop}"
        return (
            f"{colour}, {rounding}, {border}, {tiles}{crop}{grey};"
            f" SSIM {ssim}, L = {self.ssim_range:g}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


_REALSR = Protocol(
    name="realsr-official",
    colour="y",
    border=0,
    rounding="uint8-y",
    tile=1200,
    stride=800,
    mod_crop=4,
    description="8-bit luma, no border, large images as overlapping tiles that each count once.",
    source="Test/Test.m of RealSR (Cai et al., ICCV 2019)",
)

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        _REALSR,
        Protocol(
            name="benchmark-y",
            colour="y",
            border="scale",
            rounding="uint8-rgb",
            mod_crop="scale",
            description="Unrounded luma of 8-bit RGB, scale pixels shaved, mean over images.",
            source=(
                "the evaluation of EDSR, RCAN and IMDN on Set5, Set14, B100, Urban100, which make"
                " grey files RGB; of SwinIR and HAT for colour"
            ),
        ),
        Protocol(
            name="benchmark-y-uint8",
            colour="y",
            border="scale",
            rounding="uint8-y",
            mod_crop="scale",
            grey="as-is",
            description=(
                "As benchmark-y with the luma rounded too and grey files as they are, as older"
                " papers report."
            ),
            source="the MATLAB evaluation of VDSR and EDSR (rgb2ycbcr of uint8 colour images only)",
        ),
        Protocol(
            name="lapsrn",
            colour="y",
            border="scale",
            rounding="uint8-rgb",
            mod_crop="scale",
            grey="as-is",
            measured="picture",
            description=(
                "Unrounded luma of the 8-bit RGB picture, also of networks that have only Y; scale"
                " pixels shaved."
            ),
            source="evaluate_SR.m of LapSRN and MS-LapSRN (Lai et al., CVPR 2017, TPAMI 2018)",
        ),
        Protocol(
            name="stablesr-testsets",
            colour="y",
            border=0,
            rounding="uint8-rgb",
            ssim_rounding="uint8-y",
            ssim_floor=0,
            description=(
                "pyiqa's psnr and ssim with test_y_channel=True, color_space='ycbcr': PSNR of"
                " unrounded luma, SSIM of rounded luma, no border."
            ),
            source=(
                "test_metrics.py of OSEDiff (Wu et al., NeurIPS 2024) on the test sets of StableSR"
                " (Wang et al., IJCV 2024); psnr_arch.py and ssim_arch.py of pyiqa"
            ),
        ),
        replace(
            _REALSR,
            name="dml-paper",
            ssim_window="uniform-7",
            ssim_range=510.0,
            description="realsr-official with the SSIM that explains the values printed for DML.",
            source="deduced from Xiao et al., ACCV 2020, Tables 1 and 2; the paper does not say",
        ),
        Protocol(
            name="rgb",
            colour="rgb",
            border=0,
            rounding="uint8-rgb",
            description="8-bit RGB, whole images; SSIM is the mean over channels.",
            source="common in real-world super-resolution",
        ),
        Protocol(
            name="lr-fidelity",
            colour="y",
            border=7,
            rounding="uint8-y",
            description=(
                "A generated LR against the real LR: 8-bit luma, 7 LR pixels shaved because a"
                " 15 x 15 kernel sees padding there."
            ),
            source="Xiao et al., ACCV 2020, Table 1 (left); border and rounding are ours",
        ),
    )
}

# Any frozen dataclass with a name.
P = TypeVar("P", bound=Any)


def get_protocol(protocol: str | Mapping[str, Any] | Protocol) -> Protocol:
    """Return a protocol by name, or one that differs from a named one.

    Args:
        protocol: A name, a :class:`Protocol`, or a dict with ``base`` (a name) and the fields to
            change. Unless it sets ``name``, a changed protocol is named after its base and its
            changes, so that its scores cannot be mistaken for those of the base.

    Raises:
        ConfigError: If the name or a field is unknown, or a value is invalid.

    Examples:
        >>> get_protocol("benchmark-y").border
        'scale'
        >>> get_protocol(dict(base="realsr-official", border=4)).name
        'realsr-official,border=4'
    """
    return resolve_protocol(protocol, Protocol, PROTOCOLS, "evaluation protocol", "protocol")


def resolve_protocol(
    protocol: str | Mapping[str, Any] | P,
    kind: type[P],
    known: Mapping[str, P],
    title: str,
    short: str,
) -> P:
    """Implement :func:`get_protocol` for any kind of protocol.

    Args:
        protocol: A name, a protocol, or a dict with ``base`` and the fields to change.
        kind: A frozen dataclass with a ``name``.
        known: Its named protocols.
        title: The kind's name in the message for an unknown name.
        short: The kind's name in other messages.
    """
    if isinstance(protocol, kind):
        return protocol
    if isinstance(protocol, str):
        if protocol not in known:
            raise ConfigError(
                f"no {title} named '{protocol}': there are {', '.join(known)}."
                f"{nearest(protocol, set(known))}"
            )
        return known[protocol]
    if not isinstance(protocol, Mapping) or not isinstance(protocol.get("base"), str):
        raise ConfigError(
            f"a {short} is a name or a dict with 'base' and the fields to change, got {protocol!r}."
        )
    changes = {key: value for key, value in protocol.items() if key != "base"}
    names = {field.name for field in fields(kind)}
    for key in changes:
        if key not in names:
            raise ConfigError(
                f"a {short} has no field '{key}': there are {', '.join(sorted(names))}."
                f"{nearest(key, names)}"
            )
    base = resolve_protocol(protocol["base"], kind, known, title, short)
    if "name" not in changes:
        parts = [base.name, *(f"{key}={value}" for key, value in changes.items())]
        changes["name"] = ",".join(parts)
    changed: P = replace(base, **changes)
    return changed
