"""High-to-Low: the first stage of Bulat et al., which learns to degrade faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor, nn

from realdeg.degradations.bicubic import enlarged_border
from realdeg.degradations.generator import GeneratorDegradation
from realdeg.degradations.primitives import imresize
from realdeg.degradations.primitives.noise import white_noise
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Choice, Count, Geometry
from realdeg.utils.streams import stream_seed

Noise = Literal["map", "vector", "none"]
# Scale to (strides on the way down, doublings on the way up); 4 is the authors'.
_PATHS = {2: ((2, 2, 2, 2), 3), 3: ((3, 2, 2, 2), 3), 4: ((2, 2, 2, 2), 2), 8: ((2, 2, 2, 2), 1)}
_VECTOR = 64  # length of the noise vector, and side of the map computed from it


@dataclass(frozen=True)
class InputNoise(TraceParams):
    """The noise that the network takes beside the image.

    Args:
        noise_seed: The seed of the field, 64 bits.
    """

    noise_seed: Annotated[int, Interval(ge=0, lt=2**64)]


@DEGRADATIONS.register_module()
class HighToLow(GeneratorDegradation):
    """Converts HR to LR with one network that takes noise as an input.

    Draws the seed of the noise. Applies an encoder that downsamples 16 times and a decoder that
    upsamples to the scale. Only training (task ``UnpairedDegradation``) makes the result resemble
    the input. The network was designed for faces of 64 x 64 pixels; other sizes are padded by their
    last pixels to a multiple of 16 (24 for scale 3) and cropped again.

    Paper and code differ. In the paper a linear layer turns a vector of 64 numbers into a fourth
    channel (``noise="vector"``). The released network adds a Gaussian map to the image with learned
    weights per channel, initially 0 (``"map"``). Extensions here are scales other than 4, and
    vectors on images other than 64 x 64, whose map is interpolated.

    Args:
        scale: Downscaling factor: 2, 3, 4 or 8.
        same_size: Whether the result is enlarged to the HR grid by bicubic interpolation.
        width: Channels of the network.
        noise: ``"map"`` (the released network), ``"vector"`` (the paper) or ``"none"``.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``;
        C = 1 is treated as the grey image of that luma.

    Raises:
        ConfigError: If an argument is out of range.
        GeometryError: If the scale is not supported.

    Source:
        Bulat, Yang, Tzimiropoulos, To learn image super-resolution, use a GAN to learn how to do
        image degradation first, ECCV 2018, arXiv 1807.11458
        (jingyang2017/Face-and-Image-super-resolution, H2L.py, Gen_h2l_0424).
    """

    def __init__(
        self,
        scale: Annotated[int, Choice(*_PATHS), Geometry()] = 4,
        same_size: bool = False,
        width: Count = 64,
        noise: Noise = "map",
    ) -> None:
        super().__init__(scale, same_size)
        self.noise = noise
        strides, doublings = _PATHS[scale]
        self.network = HighToLowNetwork(width, noise, strides, doublings)

    @classmethod
    def example(cls, scale: int = 4, same_size: bool = False) -> HighToLow:
        """Return a small instance that is quick to run."""
        return cls(scale, same_size, width=4)

    @property
    def border(self) -> int:
        """LR pixels whose receptive field, which is large, reaches beyond the image."""
        small = -(-self.network.reach // self.scale)
        return enlarged_border(small, self.scale) if self.same_size else small

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the seed of the noise."""
        params: dict[str, Any] = self.trace_params()
        if self.noise != "none":
            params |= InputNoise(_noise_seed(seed)).to_params()
        return Trace(type(self).__name__, params, size)

    def clean(self, hr: Tensor) -> Tensor:
        """Return the mean of each ``scale`` x ``scale`` block, enlarged when ``same_size``."""
        return self._on_grid(F.avg_pool2d(_continued(hr, self.scale), self.scale), hr)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Degrade with each image's noise."""
        if self.noise == "none":
            return self.generate(hr, [])
        return self.generate(hr, [trace.read(InputNoise).noise_seed for trace in traces])

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Draw and degrade: equal to sample and replay, but without hashing the weights."""
        self.check_input(hr)
        if seeds is None:
            seeds = torch.randint(2**62, (hr.shape[0],)).tolist()
        self.check_seeds(hr, seeds)
        return self.generate(hr, [_noise_seed(int(seed)) for seed in seeds])

    def generate(self, hr: Tensor, noise_seeds: Sequence[int]) -> Tensor:
        """Degrade a batch, differentiably for training.

        Args:
            hr: HR batch, RGB or Y, shape (B, C, H, W).
            noise_seeds: The seed of each image's noise; ignored without noise.

        Returns:
            The LR batch.
        """
        if not hr.shape[0]:  # torch's padding refuses an empty batch
            return hr[..., :: self.stride, :: self.stride]
        x = _continued(hr, self.network.multiple)
        noise = self._draw(x, noise_seeds)
        lr = self.in_rgb(x, lambda rgb: (self.network(2 * rgb - 1, noise) + 1) / 2)
        return self._on_grid(lr, hr)

    def describe(self) -> str:
        """Return a one-line description."""
        return f"{super().describe()}, generator of {self.arguments['width']} channels"

    def _on_grid(self, lr: Tensor, hr: Tensor) -> Tensor:
        """Upsample when ``same_size``, then crop what comes from the padding of HR."""
        if self.same_size:
            lr = imresize(lr, size=(lr.shape[2] * self.scale, lr.shape[3] * self.scale))
        return lr[..., : hr.shape[2] // self.stride, : hr.shape[3] // self.stride]

    def _draw(self, x: Tensor, seeds: Sequence[int]) -> Tensor | None:
        if self.noise == "none":
            return None
        shape = (_VECTOR,) if self.noise == "vector" else (1, *x.shape[2:])
        return torch.stack([white_noise(shape, seed) for seed in seeds]).to(x)


class HighToLowNetwork(nn.Module):
    """The generator; state-dict keys are those of the authors' code.

    Args:
        width: Channels.
        noise: ``"map"``, ``"vector"`` or ``"none"``.
        strides: Strides of the encoder's stages.
        doublings: Number of decoder stages, each doubling the size.

    Shape:
        (B, 3, H, W) in [-1, 1], sides multiples of the product of the strides, to
        (B, 3, h, w) in (-1, 1).
    """

    def __init__(self, width: int, noise: str, strides: tuple[int, ...], doublings: int) -> None:
        super().__init__()
        self.doublings = doublings
        self.multiple = 1
        if noise == "map":
            self.weight = nn.Parameter(torch.zeros(3))
        if noise == "vector":
            self.linear = nn.Linear(_VECTOR, _VECTOR**2)
        self.noise = noise
        self.conv1 = nn.Conv2d(4 if noise == "vector" else 3, width, 3, padding=1)
        self.reach = 1
        stages: list[nn.Module] = []
        for stride in strides:
            stages += [_Block(width), _Block(width), nn.BatchNorm2d(width), nn.ReLU()]
            stages.append(nn.Conv2d(width, width, 3, stride, padding=1))
            self.reach += 5 * self.multiple
            self.multiple *= stride
        self.main = nn.Sequential(*stages)
        spread = self.multiple
        for number in range(1, doublings + 1):
            step = nn.Sequential(
                _Block(width), _Block(width), nn.Conv2d(width, 4 * width, 3, padding=1)
            )
            self.add_module(f"up{number}", step)
            self.reach += 5 * spread
            spread //= 2
        self.reach += spread
        self.conv4 = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """Degrade images in [-1, 1], with a noise map (B, 1, H, W), vector (B, 64) or None."""
        if self.noise == "map" and noise is not None:
            x = x + self.weight.view(1, 3, 1, 1) * noise
        elif self.noise == "vector" and noise is not None:
            field = self.linear(noise).view(-1, 1, _VECTOR, _VECTOR)
            if field.shape[2:] != x.shape[2:]:
                field = F.interpolate(field, x.shape[2:], mode="bilinear", align_corners=False)
            x = torch.cat([x, field], 1)
        features = self.main(F.relu(self.conv1(x)))
        for number in range(1, self.doublings + 1):
            features = F.relu(F.pixel_shuffle(getattr(self, f"up{number}")(features), 2))
        return torch.tanh(self.conv4(features))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return x + change


def _continued(image: Tensor, multiple: int) -> Tensor:
    """Pad with the last row and column until the sides are multiples."""
    bottom, right = -image.shape[2] % multiple, -image.shape[3] % multiple
    if not (bottom or right) or not image.shape[0]:
        return image
    return F.pad(image, (0, right, 0, bottom), mode="replicate")


def _noise_seed(seed: int) -> int:
    return stream_seed(seed, "noise")
