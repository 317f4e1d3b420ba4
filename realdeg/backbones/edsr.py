"""EDSR: residual blocks without batch normalisation."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from realdeg.backbones.base import Colour
from realdeg.backbones.dialects import MMAGIC, Dialect, shifted
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.edsr import (
    BASICSR_KEEPS,
    BASICSR_NAMES,
    EDSRFamily,
    ResBlock,
    basicsr_head,
)
from realdeg.backbones.readings import count, presets
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Choice, Scale

# Blocks, channels, factor of the residual.
PRESETS: dict[str, tuple[int, int, float]] = {"baseline": (16, 64, 1.0), "full": (32, 256, 0.1)}
# BasicSR multiplies by 255 and mmagic does not: same names, different values.
_BASICSR = Dialect(
    "BasicSR",
    marks=(r"conv_first\.weight",),
    lacks=(r"upsample\.\d\.upsample_conv\.weight",),
    counts={"head": basicsr_head, "body": count(r"body\.(\d+)\.conv1\.weight")},
    rename=(
        *BASICSR_NAMES,
        (r"^body\.(\d+)\.conv1\.", r"body.\1.body.0."),
        (r"^body\.(\d+)\.conv2\.", r"body.\1.body.2."),
        (r"^tail\.0\.(\d+)\.upsample_conv\.", shifted("tail.0.{}.", times=2)),
    ),
    keeps=BASICSR_KEEPS,
    implies={"mean_shift": True, "value_range": 255.0},
)
_MMAGIC = replace(
    _BASICSR,
    origin="mmagic",
    marks=(*_BASICSR.marks, *_BASICSR.lacks),
    lacks=(),
    implies={"mean_shift": True, "value_range": 1.0},
)


@BACKBONES.register_module()
class EDSR(EDSRFamily):
    """Enhanced deep super-resolution network.

    The baseline has 1,369,859 parameters at x2, 1,554,499 at x3 and 1,517,571 at x4; the full one
    40,729,603, 43,680,003 and 43,089,923 (without the mean shift's 24 values). In RGB it works on
    [0, 255] and subtracts the DIV2K mean, as the published weights require; in Y on [0, 1] without
    a mean. If LR and HR have the same size, the input is rearranged to a coarser grid first and
    the tail upsamples back.

    The paper starts x3 and x4 from x2: load its weights with ``ignore=("tail.",)``.

    Args:
        scale: 2, 3, 4 or 8.
        same_size: The LR image lies on the HR grid.
        preset: ``"baseline"`` (16 blocks of 64 channels) or ``"full"`` (32 of 256, residuals
            times 0.1).
        num_blocks: Residual blocks; None: the preset's.
        num_features: Channels; None: the preset's.
        res_scale: The factor of the residual; None: the preset's.
        colour: ``"rgb"`` or ``"y"``.
        mean_shift: Subtract the mean colour; None: in RGB yes, in Y no.
        value_range: The value of white; None: 255 with mean shift, otherwise 1.
        unshuffle: Factor of the pixel unshuffle at the input; None: 4 where ``same_size`` holds,
            otherwise 1. The tail's factor is ``unshuffle``, times ``scale`` where sizes differ.

    Shape:
        (B, 3 or 1, h, w) -> (B, 3 or 1, s*h, s*w), or the same size.

    Raises:
        ConfigError: If preset, colour or sizes make no network.
        GeometryError: If the tail would need a factor that does not exist.

    Source:
        Lim, Son, Kim, Nah, Lee, Enhanced Deep Residual Networks for Single Image
        Super-Resolution, CVPRW 2017. Keys follow sanghyun-son/EDSR-PyTorch; those of BasicSR and
        mmagic (which works on [0, 1]: ``value_range=1``) are translated.
    """

    dialects = (MMAGIC, _MMAGIC, _BASICSR)
    form_readings = {
        **EDSRFamily.form_readings,
        "num_blocks": count(r"body\.(\d+)\.body\.2\.weight"),
    }
    form_presets = presets(PRESETS, num_blocks=0, num_features=1)
    example_arguments = {"scale": 2, "num_blocks": 2, "num_features": 8}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        preset: Annotated[str, Choice(*PRESETS)] = "baseline",
        num_blocks: Number | None = None,
        num_features: Number | None = None,
        res_scale: float | None = None,
        colour: Colour = "rgb",
        mean_shift: bool | None = None,
        value_range: float | None = None,
        unshuffle: Number | None = None,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        count, width, factor = PRESETS[preset]
        count = count if num_blocks is None else num_blocks
        width = width if num_features is None else num_features
        factor = factor if res_scale is None else res_scale
        blocks = [ResBlock(width, res_scale=factor) for _ in range(count)]
        self.assemble(blocks, width, mean_shift, value_range, unshuffle)
