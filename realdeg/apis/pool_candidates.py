"""What all methods share that find blur kernels and noise patches in photos."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realdeg.datasets.records import list_images
from realdeg.degradations.pool import Pool
from realdeg.errors import DataError
from realdeg.utils.image import as_rgb, read_image
from realdeg.utils.streams import stream_seed

logger = logging.getLogger(__name__)

FolderPath: TypeAlias = str | os.PathLike[str]


@dataclass
class Candidates:
    """Kernels or patches that were found, rejected or failed.

    Args:
        items: Kernels or patches.
        records: The source photo and quality of each item.
        refused: How many were rejected, by reason.
        failed: Reasons by photo or pair that could not be read.
    """

    items: list[Tensor] = field(default_factory=list)
    records: list[Mapping[str, Any]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, photo: str, item: Tensor, record: Mapping[str, Any]) -> None:
        """Add an item from a photo."""
        self.items.append(item)
        self.records.append({"photo": photo, **record})

    def reasons(self) -> str:
        """Return the reasons for rejections and their counts, as text."""
        return ", ".join(f"{why} {count}" for why, count in self.refused.most_common()) or "none"

    def log(self, start: float) -> None:
        """Log how many patches were kept and how long it took."""
        total, seconds = len(self.items) + sum(self.refused.values()), time.perf_counter() - start
        kept = f"{len(self.items)} of {total} patches kept"
        logger.info("%s, refused: %s; %.1f s", kept, self.reasons(), seconds)

    def pool(
        self, source: Path, meta: Mapping[str, Any], chosen: Sequence[int], **settings: Any
    ) -> Pool:
        """Return the chosen items as a pool."""
        return Pool(
            items=torch.stack([self.items[number] for number in chosen]),
            records=tuple(self.records[number] for number in chosen),
            meta={"source": source.absolute().name, **meta, "refused": dict(self.refused)},
            **settings,
        )


@dataclass(frozen=True)
class Selection:
    """What every method needs in addition to its own settings.

    Args:
        pool: The file that will be written.
        limit: Largest number of items; None: all.
        seed: The random seed.
    """

    pool: Path
    limit: int | None
    seed: int

    def choose(self, count: int) -> list[int]:
        """Choose at most ``limit`` of ``count`` indices at random, sorted."""
        if self.limit is None or self.limit >= count:
            return list(range(count))
        rng = np.random.default_rng(stream_seed(self.seed, "limit"))
        return sorted(int(n) for n in rng.choice(count, self.limit, replace=False))


def read_photo(key: str, file: Path, failed: dict[str, str]) -> NDArray[Any] | None:
    """Read a photo, or record why it cannot be read."""
    try:
        return as_rgb(read_image(file))
    except DataError as error:
        failed[key] = str(error)
        return None


def list_photos(folder: FolderPath) -> dict[str, Path]:
    """List the photos of a folder, searched recursively.

    Raises:
        DataError: If there is none.
    """
    path = Path(folder)
    if not path.is_dir():
        raise DataError(f"there is no folder of photos {path}.")
    found = list_images(path, recursive=True)
    if not found:
        raise DataError(f"the folder {path} contains no photos.")
    return found


def middle(image: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the centre crop of an image, at most ``size`` pixels high and wide."""
    top, left = (max(0, (side - size) // 2) for side in image.shape[:2])
    return image[top : top + size, left : left + size]
