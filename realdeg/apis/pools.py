"""From folders of photos to pools of blur kernels and noise patches."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from realdeg.apis.pool_methods import Found, NoisePatches, PairKernels, PhotoKernels, Run
from realdeg.degradations.estimation.parts import PoolParts
from realdeg.degradations.pool import Pool
from realdeg.errors import ConfigError, OutputError
from realdeg.utils.files import remove_left_overs

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExtractedPool:
    """A pool that was written.

    Attributes:
        pool: What was found.
        path: Its file.
        hash: The pool's hash.
        failed: Photos or pairs that could not be read and are not in the pool, with the reasons.
    """

    pool: Pool
    path: Path
    hash: str
    failed: Mapping[str, str]


def extract_pools(
    method: PairKernels | PhotoKernels | NoisePatches,
    pool: str | os.PathLike[str],
    *,
    name: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> ExtractedPool:
    """Collect blur kernels or noise patches from real photos, as ``realdeg extract_pools`` does.

    Photos that cannot be read are left out and named in the result.

    Args:
        method: What is collected, from where, and how.
        pool: The file to write (``.safetensors``).
        name: What messages call the source; None: the folder's name.
        limit: Keep so many items, spread over the photos; None: all.
        seed: The seed of everything random.
        overwrite: Replace a pool that is there.

    Returns:
        The pool and what could not be read.

    Raises:
        ConfigError: If a setting is out of its range.
        DataError: If there are no photos, or nothing in them is of use.
        GeometryError: If no pair is of the scale.
        OutputError: If the pool is there already, or cannot be written.

    Example:
        >>> import realdeg
        >>> photos = realdeg.NoisePatches("photos", patch=32)
        >>> realdeg.extract_pools(photos, "noise.safetensors")  # doctest: +SKIP
    """
    target = Path(pool)
    if target.suffix != ".safetensors":
        raise OutputError(f"a pool is a .safetensors file, got {target}: name it so.")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists: give --overwrite to replace it, or another name.")
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is at least 1, got {limit}.")
    remove_left_overs(target.parent)
    found = Found()
    try:
        made = method.extract(Run(target, limit, seed), found)
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
