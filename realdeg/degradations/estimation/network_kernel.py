"""The kernel that a blind network finds, as an estimator that configs and commands name."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch
from torch import Tensor

from realdeg.backbones import Backbone, BlindBackbone
from realdeg.backbones.base import BackboneLike
from realdeg.backbones.build import backbone_from_config
from realdeg.backbones.running import run_backbone
from realdeg.degradations.estimation.base import KernelEstimate, KernelEstimator, Progress
from realdeg.degradations.primitives.kernels import centred
from realdeg.degradations.primitives.reduction_kernels import blur_and_reduce
from realdeg.errors import ConfigError, GeometryError
from realdeg.registry import ESTIMATORS

_FILES = ("checkpoint", "pretrained", "start_from")


@ESTIMATORS.register_module()
class NetworkKernel(KernelEstimator):
    """The kernel that a trained blind network estimates beside its image: KXNet's, DAN's.

    The network sees the whole image once; the estimate of its last round counts. The result is the
    kernel of the blur and of the reduction that follow each other in the network's training,
    shifted to the LR pixels' centres.

    Args:
        backbone: The path of a trained network, its config with the weights' file, or the network.

    Raises:
        ConfigError: If the network estimates no kernel, or has no weights.
        CheckpointError: If the file cannot be read.

    Source:
        The estimates of Fu et al., KXNet, ECCV 2022, and Luo et al., DAN, NeurIPS 2020.
    """

    def __init__(self, backbone: BackboneLike) -> None:
        if isinstance(backbone, Mapping) and not any(backbone.get(key) for key in _FILES):
            raise ConfigError(
                "NetworkKernel needs a trained network, and its config names no weights: give the"
                " path of a .safetensors file, or dict(type='KXNet', checkpoint=...)."
            )
        made = backbone if isinstance(backbone, Backbone) else backbone_from_config(backbone)
        if not isinstance(made, BlindBackbone):
            raise ConfigError(
                f"NetworkKernel takes a network that estimates the kernel (KXNet, DANv1, DANv2),"
                f" got {type(made).__name__}."
            )
        self.network = made.eval()
        self.scales = (made.scale,)

    def prepare(self, scale: int) -> None:
        """Refuse other scales than the network's."""
        super().prepare(scale)
        if scale != self.network.scale:
            raise GeometryError(
                f"the {type(self.network).__name__} of NetworkKernel was trained for scale"
                f" {self.network.scale}, asked for is scale {scale}: give a network of that scale."
            )

    def estimate(
        self, image: Tensor, scale: int, progress: Progress | None = None
    ) -> KernelEstimate:
        """Run the network on (1, 1 or 3, h, w) and return the kernel of its last round.

        Raises:
            GeometryError: If the network has another scale.
            DataError: If it gave no kernel, as after a training that diverged.
        """
        self.prepare(scale)
        self.check_image(image, scale)
        began = time.perf_counter()
        weight = next(self.network.parameters())
        shown = image.detach().to(weight).expand(-1, self.network.channels, -1, -1)
        with torch.no_grad():
            estimates = run_backbone(self.network, shown).aux["estimates"]
            blur = self.network.kernel_of(estimates[:, -1])[0, 0].cpu()
        pixel = None if self.network.reduction == "bicubic" else 0
        kernel = centred(blur_and_reduce(blur / blur.sum(), scale, pixel), scale)
        return KernelEstimate(kernel, seconds=time.perf_counter() - began).check(
            scale, "NetworkKernel"
        )
