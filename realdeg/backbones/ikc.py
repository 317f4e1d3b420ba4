"""IKC: the kernel's code is predicted from LR and corrected by looking at the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Outputs
from realdeg.backbones.blind import BlindBackbone, as_kernel
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number, Repeats
from realdeg.backbones.readings import count, size
from realdeg.backbones.sftmd import SFTMD, KernelSize, length_of, scale_of, side_of
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

_RESTORER = Dialect(
    "SFTMD",
    marks=(r"SFT-residual1\.conv1\.weight", r"basis"),
    rename=((r"^(?!restorer\.|predictor\.|corrector\.)", "restorer."),),
    keeps=r"(predictor|corrector)\..*",
)


def _convolutions(channels: int, features: int, strides: tuple[int, ...], last: int) -> list[Any]:
    """Return 5x5 convolutions, each followed by a leaky ReLU."""
    layers: list[nn.Module] = []
    for index, stride in enumerate(strides):
        made = last if index == len(strides) - 1 else features
        layers += [nn.Conv2d(channels, made, 5, stride, 2), nn.LeakyReLU(0.2)]
        channels = made
    return layers


class Predictor(nn.Module):
    """The first code, from LR: six convolutions and the mean of the last."""

    def __init__(self, features: int, code: int) -> None:
        super().__init__()
        self.ConvNet = nn.Sequential(*_convolutions(3, features, (1, 1, 1, 2, 1, 1), code))

    def forward(self, lr: Tensor) -> Tensor:
        """Return codes (B, K) of LR (B, 3, h, w)."""
        return self.ConvNet(lr).mean((-2, -1))


class Corrector(nn.Module):
    """A better code, from an image and the code that it was made with."""

    def __init__(self, features: int, code: int) -> None:
        super().__init__()
        strides = (1, 2, 1, 2, 1, 1, 1)
        self.ConvNet = nn.Sequential(*_convolutions(3, features, strides, features))
        self.code_dense = nn.Sequential(
            nn.Linear(code, features),
            nn.LeakyReLU(0.2),
            nn.Linear(features, features),
            nn.LeakyReLU(0.2),
        )
        self.global_dense = nn.Sequential(
            nn.Conv2d(2 * features, 2 * features, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * features, features, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(features, code, 1),
        )

    def forward(self, image: Tensor, code: Tensor) -> Tensor:
        """Return codes (B, K) by an image (B, 3, H, W) made with codes (B, K)."""
        seen = self.ConvNet(image)
        told = self.code_dense(code)[:, :, None, None].expand_as(seen)
        return code + self.global_dense(torch.cat([seen, told], 1)).mean((-2, -1))


@BACKBONES.register_module()
class IKC(BlindBackbone):
    """Iterative kernel correction: SFTMD, told a code that is corrected by its own results.

    A predictor estimates the kernel's code from LR. Then the corrector, seven times, looks at the
    image that the restorer (:class:`~realdeg.backbones.sftmd.SFTMD`) makes with the present code,
    and corrects the code. There are as many estimates as images: the first code and its image,
    and one more of each per correction, as in the paper's algorithm. (The authors' program stops
    before the last image, and reports the best of all.)

    The restorer is trained first, as ``SFTMD``, and its file is the start of this network
    (``start_from``). The task ``KernelCorrection`` trains the predictor and the corrector, step by
    step, without gradient from one step to the next.

    It has 5,167,639, 5,352,279 and 5,315,351 parameters at x2, x3 and x4.

    Args:
        scale: 2, 3 or 4.
        num_features: Channels of the restorer.
        num_blocks: Residual blocks of the restorer.
        corrections: How often the code is corrected; there is one round more.
        kernel_size: Side of the kernels in pixels, odd.
        code_length: Length K of a kernel's code.
        estimator_features: Channels of predictor and corrector.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w); ``estimates`` (B, T, K), ``images`` (B, T, 3, s*h, s*w)
        with T = ``corrections`` + 1

    Raises:
        ConfigError: If the code is longer than a kernel.

    Source:
        Gu, Lu, Zuo, Dong, Blind Super-Resolution with Iterative Kernel Correction, CVPR 2019. Keys
        of the parts follow yuanjunchai/IKC (codes/models/modules/sftmd_arch.py, 2a846cf).
    """

    scales: tuple[int, ...] | None = (2, 3, 4)
    reduction = "bicubic"

    dialects = (_RESTORER,)
    form_readings = {
        "scale": scale_of(r"restorer\."),
        "num_features": size(r"restorer\.conv3\.weight"),
        "num_blocks": count(r"restorer\.SFT-residual(\d+)\.conv1\.weight"),
        "kernel_size": side_of("restorer.basis"),
        "code_length": length_of("restorer.basis"),
        "estimator_features": size(r"predictor\.ConvNet\.0\.weight"),
    }
    example_arguments = dict(SFTMD.example_arguments) | {"corrections": 2, "estimator_features": 4}

    def __init__(
        self,
        scale: Scale = 4,
        num_features: Number = 64,
        num_blocks: Number = 16,
        corrections: Repeats = 7,
        kernel_size: KernelSize = 21,
        code_length: Number = 10,
        estimator_features: Number = 64,
    ) -> None:
        super().__init__(scale=scale)
        self.kernel_size, self.rounds = kernel_size, corrections + 1
        self.restorer = SFTMD(scale, num_features, num_blocks, kernel_size, code_length)
        self.predictor = Predictor(estimator_features, code_length)
        self.corrector = Corrector(estimator_features, code_length)

    def forward(self, lr: Tensor) -> Outputs:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        codes = [self.predictor(lr)]
        images = [self.restored(lr, codes[-1])]
        while len(codes) < self.rounds:
            codes.append(self.corrector(images[-1].clamp(0, 1), codes[-1]))
            images.append(self.restored(lr, codes[-1]))
        aux = {"estimates": torch.stack(codes, 1), "images": torch.stack(images, 1)}
        return Outputs(images[-1], aux)

    def restored(self, lr: Tensor, code: Tensor) -> Tensor:
        """Return the image (B, 3, s*h, s*w) that the restorer makes with codes (B, K)."""
        # Not by a call, whose check of the batch a graph for any batch cannot follow.
        return self.restorer.forward(lr, cond=code)

    def target_of(self, conditions: Mapping[str, Any]) -> Tensor:
        """Return the code (K,) of the kernel of one image's degradation."""
        return self.restorer.encode(self.told_kernel(conditions))

    def kernel_of(self, estimate: Tensor) -> Tensor:
        """Return the kernels (B, 1, k, k) of codes (B, K)."""
        return as_kernel(self.restorer.decode(estimate))
