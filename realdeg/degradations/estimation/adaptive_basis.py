"""A kernel for each pixel of one image, from a network that sees the degraded image alone."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from realdeg.backbones.weights import read_weights
from realdeg.degradations.base import Scale
from realdeg.degradations.estimation.base import KernelEstimate, KernelField, Progress
from realdeg.degradations.estimation.field_estimator import FieldEstimator
from realdeg.degradations.estimation.two_heads import FieldSize, TwoHeads
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.registry import ESTIMATORS
from realdeg.utils.argument_types import Count, Positive
from realdeg.utils.component import describes_itself, load_state, read_component

_SHIFTED = 0.5  # what is subtracted from the linear image


@ESTIMATORS.register_module()
class AdaptiveKernelBasis(FieldEstimator):
    """Basis kernels of one image, and their share in the blur of each pixel.

    The paper deblurs: its kernels lie on the image's own grid, which is ``scale=1``. With another
    scale the same network estimates the kernels by which an HR image was blurred and reduced, on
    the HR grid, as DML learns them from pairs. The image alone does not tell where a kernel lies:
    all kernels of an image are shifted alike, so that the mean one is centred.

    Args:
        basis: Number of kernels, 25 in the authors' program.
        size: Side of the kernels: 9, 17, 33 (the paper's) or 65.
        width: Channels at full resolution, 64 in the authors' program; the deepest have 16 times
            as many at size 33 and 65.
        gamma: Power that makes an image linear, 2.2 in the authors' program; 1 for blur of stored
            values, as realdeg's degradations apply it. It affects the network's input alone.
        scale: HR pixels per LR pixel; 1: the image's own grid.
        same_size: Whether LR lies on the HR grid, which is the grid of the kernels then.
        weights: The file that a training wrote, or the authors' ``TwoHeads.pkl``; None: an
            untrained network, for the task ``KernelFieldLearning``.

    Raises:
        ConfigError: If the size is another one, as even sizes are.
        CheckpointError: If the file cannot be read, or holds another network.

    Source:
        Carbajal, Vitoria, Delbracio, Muse, Lezama, Non-uniform Motion Blur Kernel Estimation via
        Adaptive Decomposition, arXiv 2102.01026; GuillermoCarbajal/NonUniformBlurKernelEstimation,
        commit 2f91308 (compute_kernels.py).
    """

    example_arguments: ClassVar[Mapping[str, Any]] = {"basis": 3, "size": 9, "width": 2, "scale": 2}

    def __init__(
        self,
        basis: Count = 25,
        size: FieldSize = 33,
        width: Count = 64,
        gamma: Positive = 2.2,
        scale: Scale = 1,
        same_size: bool = False,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        nn.Module.__init__(self)
        self.size, self.gamma = int(size), float(gamma)
        self.scale, self.same_size = scale, same_size
        self.scales = (self.stride,)
        self.smallest = self.size
        self.network = TwoHeads(basis, size, width)
        if weights is not None:
            self._load(weights)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fields of a batch, with gradients.

        Args:
            image: (B, 1 or 3, h, w) in [0, 1].

        Returns:
            Kernels (B, basis, size, size), not centred, and weights (B, basis, h, w).
        """
        linear = image if self.gamma == 1 else image.clamp_min(0) ** self.gamma
        found: tuple[Tensor, Tensor] = self.network(linear - _SHIFTED)
        return found

    def estimate(
        self, image: Tensor, scale: int, progress: Progress | None = None
    ) -> KernelEstimate:
        """Estimate the kernels of (1, 1 or 3, h, w): ``field``, and the mean one as ``kernel``.

        Raises:
            ConfigError: If the network is untrained.
            GeometryError: If it has another scale, or the image is smaller than a kernel.
            DataError: If the kernels are none, as after a training that diverged.
        """
        self._check_trained()
        self.check_image(image, scale)
        began = time.perf_counter()
        with torch.no_grad():
            basis, weights = self(image.detach().to(next(self.parameters())).clone())
        field = KernelField(basis[0].double().cpu(), weights[0].double().cpu()).centred(scale)
        seconds = time.perf_counter() - began
        return KernelEstimate(field.mean(), field, seconds=seconds).check(
            scale, type(self).__name__
        )

    def prepare(self, scale: int) -> None:
        """Refuse another scale than the network's, and a network without weights."""
        super().prepare(scale)
        self._check_stride(scale)
        self._check_trained()

    def check_image(self, image: Tensor, scale: int) -> None:
        """Refuse what every estimator refuses, and other scales than the network's."""
        self._check_stride(scale)
        super().check_image(image, scale)

    def _check_trained(self) -> None:
        if not self.is_trained:
            raise ConfigError(
                "AdaptiveKernelBasis has no weights: give it those of a training with"
                " KernelFieldLearning, or the authors', as weights='FILE'."
            )

    def _check_stride(self, scale: int) -> None:
        if scale != self.stride:
            grid = " (LR on the HR grid)" if self.same_size else ""
            raise GeometryError(
                f"this AdaptiveKernelBasis estimates kernels of scale {self.stride}{grid}, asked"
                f" for is scale {scale}: give weights of that scale."
            )

    def _load(self, path: str | os.PathLike[str]) -> None:
        if not describes_itself(path):
            load_state(self.network, read_weights(path), str(path))
        else:
            file = read_component(path)
            if file.type != type(self).__name__:
                raise CheckpointError(f"{path} holds a {file.type}, not an AdaptiveKernelBasis.")
            stated = {name: file.arguments.get(name) for name in ("scale", "same_size", "gamma")}
            own = {name: getattr(self, name) for name in stated}
            if stated != own:
                raise CheckpointError(
                    f"{path} was trained with {_listed(stated)}, and {_listed(own)} is asked for:"
                    " leave these out by giving the file alone as the estimator."
                )
            load_state(self, file.state, str(path))
        self.eval().requires_grad_(False)
        self.mark_trained()


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in settings.items())
