"""Blind deconvolution of the enlarged photo, as an estimator that configs and commands name."""

from __future__ import annotations

import time
from typing import Annotated

import numpy as np
import torch
from annotated_types import Interval, Predicate
from torch import Tensor

from realdeg.degradations.estimation.base import KernelEstimate, KernelEstimator, Progress
from realdeg.degradations.estimation.dark_channel import DarkChannelSettings, blind_deconvolution
from realdeg.degradations.estimation.deconvolution import differences
from realdeg.degradations.primitives.kernels import (
    centre_rest,
    pad_kernel,
    shift_to_centroid,
)
from realdeg.degradations.primitives.resize import imresize
from realdeg.registry import ESTIMATORS
from realdeg.utils.argument_types import Count, Positive, is_odd
from realdeg.utils.colour import grey_of, rgb_to_grey


@ESTIMATORS.register_module()
class DarkChannel(KernelEstimator):
    """The kernel of a photo from the photo alone, by blind deconvolution of the enlarged photo.

    KMSR's first stage: the photo is enlarged by bicubic interpolation, and the kernel that seems
    to have blurred it is found with Pan et al.'s dark channel prior
    (:func:`~realdeg.degradations.estimation.dark_channel.blind_deconvolution`). It draws nothing
    at random. About five CPU seconds for each crop of 200 x 200 enlarged pixels.

    The kernel relates HR to the *enlarged* photo, so it contains the interpolation.
    :meth:`enlarged` returns it in that sense, which is what KMSR trains on. :meth:`estimate`
    returns it as the kernel of the LR photo, shifted to the LR pixels' centres. The two differ
    little: bicubic interpolation keeps polynomials of second order, so centroid and covariance are
    the same. Photos without blur are no exception to the method: it finds a kernel of one or two
    pixels for them, too, as a sharp image explains any photo worse than a slightly blurred one.

    Args:
        kernel_size: Side of the kernel in HR pixels, odd.
        crop: Side of the part that is deconvolved, in HR pixels; the one with the strongest
            gradients is taken.
        iterations: Rounds at each level of the pyramid.
        dark_weight: First weight of the dark channel.
        gradient_weight: First weight of the gradients.

    Source:
        Zhou, Susstrunk, Kernel Modeling Super-Resolution on Real Low-Resolution Images, ICCV 2019,
        with Pan, Sun, Pfister, Yang, Blind image deblurring using dark channel prior, CVPR 2016;
        IVRL/Kernel-Modeling-Super-Resolution, commit 1253598 (``getkernels.m``). The code takes
        whole patches; the choice of the crop is ours.
    """

    scales = (2, 3, 4)
    example_arguments = {"kernel_size": 7, "iterations": 1, "crop": 48}

    def __init__(
        self,
        kernel_size: Annotated[int, Interval(ge=5, le=61), Predicate(is_odd)] = 25,
        crop: Count = 256,
        iterations: Count = 5,
        dark_weight: Positive = 4e-3,
        gradient_weight: Positive = 4e-3,
    ) -> None:
        self.settings = DarkChannelSettings(kernel_size, iterations, dark_weight, gradient_weight)
        self.smallest = 2 * kernel_size  # enough at every scale
        self.crop = max(crop, self.settings.least_size)

    def estimate(
        self, image: Tensor, scale: int, progress: Progress | None = None
    ) -> KernelEstimate:
        """Return the kernel of (1, 1 or 3, h, w), two taps wider than ``kernel_size``.

        Raises:
            GeometryError: If the scale is not 2, 3 or 4, or the image is too small.
            DataError: If the image has no edges.
        """
        began = time.perf_counter()
        kernel = self.enlarged(image, scale, progress)
        wide = pad_kernel(kernel, int(kernel.shape[0]) + 2)
        rest = centre_rest(len(wide), scale)
        kernel = shift_to_centroid(wide, (rest, rest))
        seconds = time.perf_counter() - began
        total = self.settings.iterations * len(self.settings.kernel_sizes)
        return KernelEstimate(kernel, seconds=seconds, iterations=total).check(
            scale, type(self).__name__
        )

    def enlarged(self, image: Tensor, scale: int, progress: Progress | None = None) -> Tensor:
        """Return the kernel that blurred the enlarged image, on the HR grid.

        Args:
            image: (1, 1 or 3, h, w) in [0, 1], Y or RGB.
            scale: HR pixels per LR pixel.
            progress: Called after each round.

        Returns:
            Correlation kernel (k, k), float64, sum 1, centred on the HR pixel.

        Raises:
            GeometryError: If the scale is not 2, 3 or 4, or the image is too small.
            DataError: If the image has no edges.
        """
        self.check_image(image, scale)
        total = self.settings.iterations * len(self.settings.kernel_sizes)

        def report(done: int) -> None:
            if progress is not None:
                progress(done, total)

        with torch.inference_mode(False), torch.no_grad():
            photo = image.detach().clone().float()
            grey = rgb_to_grey(photo) if photo.shape[1] == 3 else grey_of(photo)
            large = imresize(grey, scale).clamp(0, 1)[0, 0]
            found = blind_deconvolution(_best_part(large, self.crop), self.settings, report)
            return shift_to_centroid(found.double().cpu())


def _best_part(image: Tensor, size: int) -> Tensor:
    """Return the square whose gradients are strongest, a few strong edges not outweighing all."""
    height, width = (min(size, int(side)) for side in image.shape)
    across, down = differences(image.double().cpu())
    strength = across.hypot(down).numpy()
    limit = float(np.quantile(strength, 0.97))
    strength = np.minimum(strength, limit) if limit > 0 else strength
    sums = np.pad(strength.cumsum(0).cumsum(1), ((1, 1), (1, 1)), mode="edge")
    sums[0], sums[:, 0] = 0, 0
    boxes = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
    boxes = boxes + sums[:-height, :-width]
    top, left = (int(place) for place in np.unravel_index(int(boxes.argmax()), boxes.shape))
    return image[top : top + height, left : left + width]
