"""CinCGAN's first two generators, which clean LR images and take them back."""

from __future__ import annotations

from torch import Tensor

from realdeg.backbones.base import Backbone, Colour
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.readings import colour_of, count, size
from realdeg.degradations.primitives.translator import TranslatorNetwork
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale, Whole

_SANGYUN = Dialect(
    "sangyun884/CinCGAN-pytorch",
    marks=(r"(G1_forward\.)?InBlock\.0\.weight",),
    drop=r"(?!G1_forward\.|InBlock\.|ResnetBlocks\.|OutBlock\.).*",
    rename=((r"^(G1_forward\.)?(InBlock|ResnetBlocks|OutBlock)\.", r"network.\2."),),
    implies={"centred": True, "last_activation": True},
)


@BACKBONES.register_module()
class CinCGANTranslator(Backbone):
    """Turns LR images of one collection into LR images of another, of the same size.

    It does not enlarge: at other scales than 1 it works on the interpolated image.
    :class:`~realdeg.backbones.clean_then_enlarge.CleanThenEnlarge` puts it in front of a network
    that enlarges, and the task ``CinCGAN`` trains it. 610,176 parameters in colour, of which 1,536
    are of batch normalisation.

    Args:
        scale: Affects only the halo.
        same_size: The LR image lies on the HR grid.
        width: Channels of the hidden layers.
        num_blocks: Residual blocks.
        use_bn: Whether the blocks have batch normalisation; without it convolutions have biases.
        last_activation: Whether leaky ReLU 0.2 follows the last convolution (the re-implementation)
            or nothing does (the paper).
        residual: Whether the network's output, initially zero, is added to its input: an untrained
            one changes nothing, which suits short training.
        centred: Whether the network works on [-1, 1] (the re-implementation) instead of [0, 1].
        colour: ``"rgb"`` or ``"y"``.

    Shape:
        (B, 3 or 1, h, w) -> the same size.

    Source:
        Yuan, Liu, Zhang, Zhang, Dong, Lin, Unsupervised Image Super-Resolution using
        Cycle-in-Cycle Generative Adversarial Networks, CVPRW 2018, arXiv 1809.00437. The authors'
        code was not released; layers follow sangyun884/CinCGAN-pytorch (c2605f9), of whose files
        ``G1_forward`` is read; the residual form follows greatlog/UnpairedSR (771312e).
    """

    upsample = "pre"
    same_size_form = "native"
    dialects = (_SANGYUN,)
    form_readings = {
        "width": size(r"network\.InBlock\.0\.weight"),
        "num_blocks": count(r"network\.ResnetBlocks\.(\d+)\.conv_block\.0\.weight"),
        "colour": colour_of(r"network\.InBlock\.0\.weight", 1),
    }
    example_arguments = {"scale": 1, "width": 6, "num_blocks": 1}

    def __init__(
        self,
        scale: Scale = 1,
        same_size: bool = False,
        width: Number = 64,
        num_blocks: Whole = 6,
        use_bn: bool = True,
        last_activation: bool = False,
        residual: bool = False,
        centred: bool = False,
        colour: Colour = "rgb",
    ) -> None:
        super().__init__(scale=scale, same_size=same_size, colour=colour)
        self.residual, self.centred = residual, centred
        self.network = TranslatorNetwork(
            self.channels,
            width,
            num_blocks,
            use_bn=use_bn,
            last_activation=last_activation,
            zero_end=residual,
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Translate the image (B, C, H, W) in [0, 1]."""
        image = 2 * lr - 1 if self.centred else lr
        output: Tensor = self.network(image)
        if self.residual:
            output = image + output
        return (output + 1) / 2 if self.centred else output
