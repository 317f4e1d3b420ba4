"""A kernel from a pool, as an estimate of a photo's."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Literal

import numpy as np
from torch import Tensor

from realdeg.degradations.estimation.base import KernelEstimate, KernelEstimator, Progress
from realdeg.degradations.kernel_pool import gaussian_pool
from realdeg.degradations.pool import Pool, load_pool
from realdeg.degradations.primitives.kernels import centred
from realdeg.errors import GeometryError
from realdeg.registry import ESTIMATORS
from realdeg.utils.argument_types import Whole
from realdeg.utils.streams import stream_seed


@ESTIMATORS.register_module()
class PoolKernel(KernelEstimator):
    """The mean of a pool's kernels, or one of them: what a camera's photos are usually like.

    The image itself is not looked into. A pool of the same camera
    (``realdeg extract_pools``) tells more than one photo of little texture. Kernels are shifted
    to the LR pixels' centres, pools of the HR grid included.

    Args:
        pool: The path of a pool file of kernels; None: the synthetic one of
            :class:`~realdeg.degradations.KernelPool`, of any scale.
        how: ``"mean"``: the mean of all kernels; ``"draw"``: one that the seed and the image's
            content draw, so that images of a folder get different ones.
        seed: Seed of the draw.

    Raises:
        DataError: If the pool cannot be read.

    Source:
        Drawing from a pool of real kernels: Zhou, Susstrunk, Kernel Modeling Super-Resolution on
        Real Low-Resolution Images, ICCV 2019.
    """

    def __init__(
        self,
        pool: str | os.PathLike[str] | None = None,
        how: Literal["mean", "draw"] = "mean",
        seed: Whole = 0,
    ) -> None:
        self.how, self.seed = how, seed
        self._pool = None if pool is None else load_pool(pool, "kernels")

    def prepare(self, scale: int) -> None:
        """Refuse a pool of another scale, too."""
        super().prepare(scale)
        self._pool_of(scale)

    def estimate(
        self, image: Tensor, scale: int, progress: Progress | None = None
    ) -> KernelEstimate:
        """Return the pool's mean kernel, or a drawn one, (k, k).

        Raises:
            GeometryError: If the pool has another scale.
        """
        self.check_image(image, scale)
        began = time.perf_counter()
        items = self._pool_of(scale).items.double()
        kernel = items.mean(0) if self.how == "mean" else items[self._index(image, len(items))]
        kernel = centred(kernel / kernel.sum(), scale)
        return KernelEstimate(kernel, seconds=time.perf_counter() - began).check(
            scale, "PoolKernel"
        )

    def _pool_of(self, scale: int) -> Pool:
        if self._pool is None:
            return gaussian_pool(scale, same_size=False)
        if self._pool.scale != scale:
            raise GeometryError(
                f"the pool of PoolKernel ({self._pool.describe()}) holds kernels of scale"
                f" {self._pool.scale}, asked for is scale {scale}: extract a pool of that scale."
            )
        return self._pool

    def _index(self, image: Tensor, count: int) -> int:
        levels = (image.detach().cpu().float() * 255).round().byte().contiguous().numpy()
        content = hashlib.sha256(levels.tobytes()).hexdigest()
        rng = np.random.default_rng(stream_seed(self.seed, content))
        return int(rng.integers(count))
