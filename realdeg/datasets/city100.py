"""City100 (Chen et al., CVPR 2019): printed postcards before two cameras."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from realdeg.datasets.base import ImageDataset, TransformLike
from realdeg.datasets.records import Fault, Record, find_folder, resolve, root_of
from realdeg.errors import ConfigError
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import NonNegative, Scale

# The test images of the authors' script; all others are for training.
TEST_IDS = (1, 16, 48, 60, 98)


@DATASETS.register_module()
class City100Dataset(ImageDataset):
    """City100: ``NNNH.PNG`` and ``NNNL.PNG``, LR on the HR grid.

    Args:
        camera: ``iPhoneX`` or ``NikonD5500``.
        split: ``train`` or ``test``; says which images where ``ids`` does not.
        ids: Numbers and ranges, such as ``[1, "5-24"]`` or ``"1-24,51-56"``.
        folder: The folder that holds the images, absolute or below ``data_root``; None looks for
            the names of the authors' repository.
        scale: A nominal figure; the zoom ratio of the cameras is no integer.
        same_size: Must be True.
        data_root: The folder of all data sets; None means ``./data``.
        seed: The run's seed.
        transforms: Transforms or their configs, in order.
        cache_mb: Megabytes of decoded images kept, per worker process.

    Raises:
        ConfigError: If camera, split or ids make no sense.
        DataError: If the folder is missing.
        GeometryError: If ``same_size`` is False.
    """

    grid = True
    protocol = "realsr-official"

    def __init__(
        self,
        camera: str = "iPhoneX",
        split: Literal["train", "test"] = "train",
        ids: str | Sequence[int | str] | None = None,
        folder: str | Path | None = None,
        *,
        scale: Scale = 4,
        same_size: bool = True,
        data_root: str | Path | None = None,
        seed: int = 0,
        transforms: Sequence[TransformLike] | None = None,
        cache_mb: NonNegative = 256,
    ) -> None:
        self.camera = camera
        self.ids = None if ids is None else parse_ids(ids)
        self.folder = folder
        super().__init__(
            scale=scale,
            same_size=same_size,
            data_root=data_root,
            seed=seed,
            split=split,
            transforms=transforms,
            cache_mb=cache_mb,
        )

    @property
    def label(self) -> str:
        """What the data set is called in messages."""
        return f"City100 {self.camera} {self.split}"

    def find(self) -> list[Record]:
        """Match H with L by number."""
        if self.folder is not None:
            candidates = [resolve(self.folder, self.data_root)]
        else:
            root = root_of(self.data_root)
            candidates = [
                root / "City100" / f"City100_{self.camera}",
                root / f"City100_{self.camera}",
                root / f"City100-{self.camera}",
            ]
        folder = find_folder(
            candidates,
            f"City100 of the {self.camera}",
            "Set data_root to the folder that holds it, or folder to the one that holds 001H.PNG.",
        )
        found: dict[int, dict[str, Path]] = {}
        for file in sorted(folder.iterdir()):
            match = re.fullmatch(r"(\d+)([HL])\.png", file.name, re.IGNORECASE)
            if match:
                found.setdefault(int(match[1]), {})[match[2].upper()] = file
        wanted = self.ids
        if wanted is None:
            wanted = [number for number in found if (number in TEST_IDS) == (self.split == "test")]
        records = []
        for number in wanted:
            pair = found.get(number, {})
            for side in "HL":
                if side not in pair:
                    self.faults.append(Fault(folder / f"{number:03d}{side}.PNG", "is missing"))
            if len(pair) == 2:
                meta = dict(camera=self.camera, scene=f"{number:03d}")
                records.append(Record(f"{number:03d}", pair["H"], pair["L"], meta))
        return records


def parse_ids(ids: str | Sequence[int | str]) -> list[int]:
    """Turn numbers and ranges into a list of numbers.

    Args:
        ids: For instance ``[1, "5-24"]`` or ``"1-24,51-56"``.

    Returns:
        The numbers, in the order given, each once.

    Raises:
        ConfigError: If an entry is neither.
    """
    entries = ids.split(",") if isinstance(ids, str) else ids
    numbers: dict[int, None] = {}
    for entry in entries:
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", str(entry))
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            raise ConfigError(
                f"City100Dataset: ids are numbers and ranges such as 5 or '5-24', got {entry!r}."
            )
        numbers.update(dict.fromkeys(range(int(match[1]), int(match[2] or match[1]) + 1)))
    return list(numbers)
