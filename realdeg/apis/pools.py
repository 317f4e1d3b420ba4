"""Extract pools of blur kernels and noise patches from folders of photos."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from realdeg.apis.pool_candidates import Candidates, Selection
from realdeg.apis.pool_methods import FieldKernels, NoisePatches, PairKernels, PhotoKernels
from realdeg.degradations.estimation.parts import PoolParts
from realdeg.degradations.pool import Pool
from realdeg.errors import ConfigError, OutputError
from realdeg.utils.files import check_replaceable, remove_left_overs

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExtractedPool:
    """A pool and the file it was written to.

    Attributes:
        pool: The kernels or patches.
        path: Where it was written.
        hash: The pool's hash.
        failed: Reasons by photo or pair that could not be read and is not in the pool.
    """

    pool: Pool
    path: Path
    hash: str
    failed: Mapping[str, str]


def extract_pools(
    method: PairKernels | PhotoKernels | FieldKernels | NoisePatches,
    pool: str | os.PathLike[str],
    *,
    name: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> ExtractedPool:
    """Collect blur kernels or noise patches from real photos, as ``realdeg extract_pools`` does.

    Photos that cannot be read are left out and listed in the result.

    Args:
        method: What is collected, from where, and how.
        pool: The file to write (``.safetensors``).
        name: Name of the source in messages; None: the folder's name.
        limit: Largest number of items, spread over the photos; None: all.
        seed: The random seed.
        overwrite: Replace an existing pool.

    Raises:
        ConfigError: If a setting is out of range.
        DataError: If there are no photos, or none of them is usable.
        GeometryError: If no pair has the given scale.
        OutputError: If the pool already exists, or cannot be written.

    Example:
        >>> import realdeg
        >>> photos = realdeg.NoisePatches("photos", patch=32)
        >>> realdeg.extract_pools(photos, "noise.safetensors")  # doctest: +SKIP
    """
    target = Path(pool)
    if target.suffix != ".safetensors":
        raise OutputError(f"a pool is a .safetensors file, got {target}: change its suffix.")
    check_replaceable(target, overwrite)
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is at least 1, got {limit}.")
    remove_left_overs(target.parent)
    found = Candidates()
    try:
        made = method.extract(Selection(target, limit, seed), found)
    finally:
        if found.failed:
            reasons = "".join(f"\n  {one}: {why}" for one, why in sorted(found.failed.items()))
            count = len(found.failed)
            logger.warning("%d FAILED, and are not in the pool:%s", count, reasons)
    if name:
        made = replace(made, meta={**made.meta, "source": name})
    digest = made.save(target)
    if not found.failed:
        PoolParts(target, {}).clear()
    return ExtractedPool(made, target, digest, found.failed)
