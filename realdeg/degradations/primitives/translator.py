"""The network of CinCGAN's generators, as a degradation and as a backbone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class TranslatorNetwork(nn.Module):
    """Turns the images of one collection into those of another, of the same or of a smaller size.

    7 x 7 and two 3 x 3 convolutions, residual blocks, two 3 x 3 and a 7 x 7 convolution; leaky ReLU
    0.2 after every convolution, but the last unless asked for. A residual block has two 3 x 3
    convolutions, each with batch normalisation and leaky ReLU. Convolutions have no biases; without
    batch normalisation they do. Names in the state dict are those of the re-implementation.

    Args:
        channels: Channels of the images, in and out.
        width: Channels of the hidden layers.
        num_blocks: Number of residual blocks.
        strides: Strides of the second and the third convolution.
        use_bn: Whether the blocks have batch normalisation.
        last_activation: Whether leaky ReLU 0.2 also follows the last convolution.
        zero_end: Whether the last convolution starts at zero.

    Shape:
        (B, C, H, W) to (B, C, ceil(H / s), ceil(W / s)), s being the product of the strides.

    Source:
        Yuan et al., CVPRW 2018 (sangyun884/CinCGAN-pytorch, network.py, commit c2605f9, which has
        the last activation; the paper has none).
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 64,
        num_blocks: int = 6,
        strides: Sequence[int] = (1, 1),
        use_bn: bool = True,
        last_activation: bool = False,
        zero_end: bool = False,
    ) -> None:
        super().__init__()
        bias = not use_bn

        def convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Conv2d:
            return nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=bias)

        def activation() -> nn.LeakyReLU:
            return nn.LeakyReLU(0.2, inplace=True)

        self.InBlock = nn.Sequential(convolution(channels, width, 7), activation())
        self.reach, step = 3, 1
        """How far the input of an output pixel reaches, in pixels of the input."""
        for stride in strides:
            self.InBlock.extend([convolution(width, width, 3, stride), activation()])
            self.reach += step
            step *= stride
        self.ResnetBlocks = nn.Sequential(*(_Block(width, use_bn) for _ in range(num_blocks)))
        last = convolution(width, channels, 7)
        self.OutBlock = nn.Sequential(
            *(convolution(width, width, 3), activation(), convolution(width, width, 3)),
            *(activation(), last),
        )
        if last_activation:
            self.OutBlock.append(activation())
        self.reach += step * (2 * num_blocks + 5)
        if zero_end:
            nn.init.zeros_(last.weight)
            if last.bias is not None:
                nn.init.zeros_(last.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Translate a batch."""
        translated: Tensor = self.OutBlock(self.ResnetBlocks(self.InBlock(image)))
        return translated


class _Block(nn.Module):
    def __init__(self, width: int, use_bn: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            # An identity keeps the numbers of the layers.
            norm = nn.BatchNorm2d(width) if use_bn else nn.Identity()
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=not use_bn), norm]
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.conv_block(x)
        return x + change
