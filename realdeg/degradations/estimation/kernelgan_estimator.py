"""KernelGAN as an estimator that configs and commands name."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from realdeg.degradations.estimation.base import KernelEstimate, KernelEstimator, Progress
from realdeg.degradations.estimation.kernelgan import CROP, kernelgan
from realdeg.degradations.primitives.kernels import centred
from realdeg.registry import ESTIMATORS
from realdeg.utils.argument_types import Whole


@ESTIMATORS.register_module()
class KernelGAN(KernelEstimator):
    """The kernel of a photo from the photo alone, by internal learning.

    A linear generator reduces crops of the photo so that a critic cannot tell their patches from
    those of the photo itself (:func:`~realdeg.degradations.estimation.kernelgan`). It serves
    scales 2, 3 and 4 and photos of 64 x 64 pixels or more; flat images reveal no kernel.

    Args:
        iterations: Steps of both networks, 100 or more; 3000 in the paper, about 40 CPU seconds.
        seed: Seed of initial values, crops and noise.

    Source:
        Bell-Kligler, Shocher, Irani, Blind Super-Resolution Kernel Estimation using an
        Internal-GAN, NeurIPS 2019; sefibk/KernelGAN, commit 0e4827b.
    """

    scales = (2, 3, 4)
    smallest = CROP
    example_arguments = {"iterations": 100}

    def __init__(self, iterations: Annotated[int, Ge(100)] = 3000, seed: Whole = 0) -> None:
        self.iterations, self.seed = iterations, seed

    def estimate(
        self, image: Tensor, scale: int, progress: Progress | None = None
    ) -> KernelEstimate:
        """Train both networks on (1, 1 or 3, h, w) and return the kernel.

        It has 13 x 13 taps at scales 2 and 3, and 27 x 27 at 4.

        Raises:
            GeometryError: If the scale is not 2, 3 or 4, or the image is too small.
            DataError: If the image has no texture, or the kernel left its window.
        """
        self.check_image(image, scale)

        def report(done: int) -> None:
            if progress is not None:
                progress(done, self.iterations)

        with torch.inference_mode(False), torch.enable_grad():
            found = kernelgan(image.detach().clone(), scale, self.iterations, self.seed, report)
        notes = (
            ()
            if found.record["released"]
            else ("the pull towards bicubic was never dropped, so the kernel is unreliable",)
        )
        # The kernel of scale 4 is a part of a larger one, whose centroid may lie elsewhere.
        kernel = centred(found.kernel, scale)
        return KernelEstimate(
            kernel, seconds=found.record["seconds"], iterations=self.iterations, notes=notes
        ).check(scale, "KernelGAN")
