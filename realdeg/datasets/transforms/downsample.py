"""Clean HR images from compressed ones."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from realdeg.datasets.transforms.base import Transform, place_in
from realdeg.errors import GeometryError
from realdeg.registry import TRANSFORMS
from realdeg.utils.argument_types import Count, OddSize, Positive
from realdeg.utils.samples import Sample


@TRANSFORMS.register_module()
class DownsampleHR(Transform):
    """Blur and downsample an HR image to remove its compression artefacts.

    The result is rounded to the depth of the input, as in a file. For large images it is cheaper to
    crop first, with a margin that is cropped afterwards: ``PairedCrop(2 * p + 12), DownsampleHR(),
    CentreCrop(p)`` gives the same pixels as the whole image.

    Args:
        factor: The downsampling factor.
        sigma: Standard deviation of the Gaussian in pixels.
        size: Side of the Gaussian's window, odd.
        method: ``subsample`` takes every ``factor``-th pixel from the upper left one; ``bicubic``
            is antialiased bicubic interpolation.

    Raises:
        GeometryError: If the sample is a pair, whose LR would no longer fit.

    Source:
        Xiao, Yong and Zhang, Degradation Model Learning, ACCV 2020: HR images are smoothed by a
        Gaussian with sigma 1, then reduced by 2. The window of 7 is our choice; plain subsampling
        is the literal reading.
    """

    def __init__(
        self,
        factor: Count = 2,
        sigma: Positive = 1.0,
        size: OddSize = 7,
        method: Literal["subsample", "bicubic"] = "subsample",
    ) -> None:
        self.factor = factor
        self.sigma = sigma
        self.size = size
        self.method = method

    def required_size(self, after: int) -> int:
        """Return the least side before this step."""
        return after * self.factor

    def __call__(self, results: Sample) -> Sample:
        """Return the sample with HR reduced."""
        if results.get("lr") is not None:
            raise GeometryError(
                f"DownsampleHR: '{results['key']}' is a real pair, whose LR would no longer fit"
                " its HR; use it for HR images alone."
            )
        image = results["hr"]
        # Float output: OpenCV's own 8-bit Gaussian rounds its weights.
        weights = cv2.getGaussianKernel(self.size, self.sigma, cv2.CV_32F)
        smooth = cv2.sepFilter2D(
            image, cv2.CV_32F, weights, weights, borderType=cv2.BORDER_REFLECT_101
        ).reshape(image.shape)
        if self.method == "subsample":
            smooth = smooth[:: self.factor, :: self.factor]
        else:
            smooth = self._bicubic(smooth)
        greatest = np.iinfo(image.dtype).max
        results["hr"] = np.clip(np.floor(smooth + 0.5), 0, greatest).astype(image.dtype)
        place = place_in(results)
        if place is not None:
            results["meta"]["place"] = place.resized(*results["hr"].shape[:2])
        return results

    def _bicubic(self, image: np.ndarray) -> np.ndarray:
        import torch

        from realdeg.degradations.primitives.resize import imresize

        batch = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
        with torch.no_grad():
            return imresize(batch, 1 / self.factor)[0].numpy().transpose(1, 2, 0)
