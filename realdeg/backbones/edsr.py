"""EDSR: residual blocks without batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from realdeg.backbones.base import Colour
from realdeg.backbones.parts.classic import check_counts, find_preset
from realdeg.backbones.parts.edsr import EDSRFamily, ResBlock, check_mean_shift, without_prefix
from realdeg.errors import CheckpointError
from realdeg.registry import BACKBONES

# Blocks, channels, factor of the residuals.
PRESETS: dict[str, tuple[int, int, float]] = {"baseline": (16, 64, 1.0), "full": (32, 256, 0.1)}
# How BasicSR and mmagic call what lies inside blocks and tail.
FOREIGN_BLOCKS: tuple[tuple[str, str], ...] = (
    (r"^body\.(\d+)\.conv1\.", r"body.\1.body.0."),
    (r"^body\.(\d+)\.conv2\.", r"body.\1.body.2."),
    *((rf"^tail\.0\.{k}\.upsample_conv\.", f"tail.0.{2 * k}.") for k in range(3)),
)


@BACKBONES.register_module()
class EDSR(EDSRFamily):
    """Enhanced deep super-resolution network.

    The baseline has 1,369,859 parameters at x2, 1,554,499 at x3 and 1,517,571 at x4; the full one
    40,729,603, 43,680,003 and 43,089,923 (the mean's 24 numbers apart). In RGB it works on
    [0, 255] and takes the DIV2K mean off, as the published weights want; in Y on [0, 1] without a
    mean. Where LR and HR have the same size, the input is rearranged to a coarser grid first and
    the tail upsamples back.

    The paper starts x3 and x4 from x2: load its weights with ``ignore=("tail.",)``.

    Args:
        scale: How much resolution is lost.
        same_size: The LR image lies on the HR grid.
        preset: ``"baseline"`` (16 blocks of 64 channels) or ``"full"`` (32 of 256, residuals
            times 0.1).
        num_blocks: Residual blocks; None: the preset's.
        num_features: Channels; None: the preset's.
        res_scale: What residuals are multiplied by; None: the preset's.
        colour: ``"rgb"`` or ``"y"``.
        mean_shift: Take the mean colour off; None: in RGB yes, in Y no.
        value_range: The number that stands for white; None: 255 with mean shift, otherwise 1.
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

    def __init__(
        self,
        scale: int = 4,
        same_size: bool = False,
        preset: str = "baseline",
        num_blocks: int | None = None,
        num_features: int | None = None,
        res_scale: float | None = None,
        colour: Colour = "rgb",
        mean_shift: bool | None = None,
        value_range: float | None = None,
        unshuffle: int | None = None,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        count, width, factor = find_preset("EDSR", preset, PRESETS)
        count = count if num_blocks is None else num_blocks
        width = width if num_features is None else num_features
        factor = factor if res_scale is None else res_scale
        check_counts("EDSR", num_blocks=count, num_features=width)
        blocks = [ResBlock(width, res_scale=factor) for _ in range(count)]
        self.assemble(blocks, width, 2 * count, mean_shift, value_range, unshuffle)

    @classmethod
    def example(cls) -> EDSR:
        """Return a x2 network of 2 blocks, 8 wide."""
        return cls(scale=2, num_blocks=2, num_features=8)

    def adapt_state(self, state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """Translate BasicSR's and mmagic's names; refuse another range, mean or size by name.

        BasicSR multiplies by 255 and takes the mean off outside its state dict; mmagic takes the
        mean off without multiplying. The two hold other numbers under almost the same names.

        Raises:
            CheckpointError: If the weights are of another value range, mean shift or size.
        """
        found = without_prefix(state)
        if "conv_first.weight" in found:
            mmagic = any(".upsample_conv." in name for name in found)
            trained = 1.0 if mmagic else 255.0
            if self.sub_mean is None or self.value_range != trained:
                raise CheckpointError(
                    f"the EDSR weights in {where} were trained with a mean shift on the value range"
                    f" {trained:g}: build it with EDSR(mean_shift=True, value_range={trained:g})."
                )
            found = self.from_basicsr(found, FOREIGN_BLOCKS)
        elif "tail.1.weight" in found:
            check_mean_shift(self, self.sub_mean, found, where)
        self.check_form(found, where)
        blocks = [name.split(".")[1] for name in found if name.endswith(".body.2.weight")]
        if blocks and len(blocks) != self.last:
            raise CheckpointError(
                f"the EDSR weights in {where} have {len(blocks)} blocks: build it with"
                f" EDSR(num_blocks={len(blocks)}) or the preset that has as many."
            )
        return found
