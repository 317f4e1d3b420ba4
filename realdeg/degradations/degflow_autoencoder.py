"""DegFlow's residual autoencoder: an image as a small latent beside the features of HR."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Features = tuple[Tensor, Tensor, Tensor]
"""What the encoder saw at full, half and quarter resolution, before it reached the latent."""

REDUCTION = 8
"""Pixels of the image per pixel of the latent."""


class LatentEncoder(nn.Module):
    """Turns an image into a latent of an eighth of its sides.

    A convolution and four stages of residual blocks, of which three halve the image. Names in the
    state dict are those of the authors' ``Encoder_skip``.

    Args:
        width: Channels at full and half resolution; 2 and 4 times as many at a quarter and an
            eighth.
        latent: Channels of the latent.

    Shape:
        (B, 3, H, W) in [-1, 1] to (B, latent, H / 8, W / 8) and the features (B, width, H, W),
        (B, width, H / 2, W / 2) and (B, 2 width, H / 4, W / 4); sides divisible by 8.

    Source:
        present091/DegFlow, commit d3ee421, models/ae.py.
    """

    def __init__(self, width: int = 128, latent: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.EB0 = _Stage(width, width, halves=False)
        self.EB1 = _Stage(width, width, halves=True)
        self.EB2 = _Stage(width, 2 * width, halves=True)
        self.EB3 = _Stage(2 * width, 4 * width, halves=True)
        self.conv_out = nn.Conv2d(4 * width, latent, 3, padding=1)

    def forward(self, image: Tensor) -> tuple[Tensor, Features]:
        """Return the latent and the features."""
        full = self.EB0(self.stem(image))
        half = self.EB1(full)
        quarter = self.EB2(half)
        latent: Tensor = self.conv_out(self.EB3(quarter))
        return latent, (full, half, quarter)


class LatentDecoder(nn.Module):
    """Turns a latent back into an image, with the features of the HR image of the same scene.

    The features carry what all degraded images of a scene share, so the latent of four channels
    only has to say how far it is degraded. Names in the state dict are those of the authors'
    ``Decoder_skip``.

    Args:
        width: As for :class:`LatentEncoder`.
        latent: As for :class:`LatentEncoder`.

    Shape:
        (B, latent, h, w) and the features to (B, 3, 8 h, 8 w), about in [-1, 1].

    Source:
        present091/DegFlow, commit d3ee421, models/ae.py.
    """

    def __init__(self, width: int = 128, latent: int = 4) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(latent, 4 * width, 3, padding=1)
        self.DB0 = _Upsample(4 * width, 2 * width, doubles=True)
        self.conv_cat2 = nn.Conv2d(4 * width, 2 * width, 1)
        self.DB1 = _Upsample(2 * width, width, doubles=True)
        self.conv_cat1 = nn.Conv2d(2 * width, width, 1)
        self.DB2 = _Upsample(width, width, doubles=True)
        self.conv_cat0 = nn.Conv2d(2 * width, width, 1)
        self.DB3 = _Upsample(width, width, doubles=False)
        self.refine = nn.Sequential(nn.GELU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, latent: Tensor, features: Features) -> Tensor:
        """Return the image."""
        full, half, quarter = features
        x = self.DB0(self.conv_in(latent))
        x = self.DB1(self.conv_cat2(torch.cat([x, quarter], 1)))
        x = self.DB2(self.conv_cat1(torch.cat([x, half], 1)))
        x = self.DB3(self.conv_cat0(torch.cat([x, full], 1)))
        image: Tensor = self.refine(x)
        return image


class _Stage(nn.Module):
    """Two residual blocks, weighted by channel from 0 on, after a halving if asked for."""

    def __init__(self, entering: int, width: int, halves: bool) -> None:
        super().__init__()
        self.down = nn.Conv2d(entering, width, 3, 2, 1) if halves else nn.Identity()
        self.RB0, self.RB1 = _Block(width), _Block(width)
        self.beta, self.gamma = _weights(width), _weights(width)

    def forward(self, x: Tensor) -> Tensor:
        return _weighted_blocks(self, self.down(x))


class _Upsample(nn.Module):
    """Two residual blocks as in :class:`_Stage`, then a doubling if asked for."""

    def __init__(self, entering: int, width: int, doubles: bool) -> None:
        super().__init__()
        self.RB0, self.RB1 = _Block(entering), _Block(entering)
        self.up: nn.Module = nn.Identity()
        if doubles:
            self.up = nn.Sequential(
                nn.Conv2d(entering, 4 * entering, 1),
                nn.PixelShuffle(2),
                nn.Conv2d(entering, width, 1),
            )
        self.beta, self.gamma = _weights(entering), _weights(entering)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.up(_weighted_blocks(self, x))
        return made


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm0, self.norm1 = _ChannelNorm(width), _ChannelNorm(width)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        change = self.conv0(self.act(self.norm0(x)))
        change = self.conv1(self.act(self.norm1(change)))
        return x + change


class _ChannelNorm(nn.Module):
    """Normalises each pixel over its channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.LayerNorm(width, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.body(x.permute(0, 2, 3, 1))
        return normed.permute(0, 3, 1, 2)


def _weights(width: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(1, width, 1, 1))


def _weighted_blocks(stage: nn.Module, x: Tensor) -> Tensor:
    # As in the authors' code, each block's own shortcut is inside what is weighted.
    x = x + stage.beta * stage.RB0(x)  # type: ignore[operator]
    made: Tensor = x + stage.gamma * stage.RB1(x)  # type: ignore[operator]
    return made
