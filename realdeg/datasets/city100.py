"""City100 (Chen et al., CVPR 2019): printed postcards before two cameras."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from typing_extensions import Unpack

from realdeg.datasets.base import CommonSettings, ImageDataset
from realdeg.datasets.records import Fault, Record, find_folder, resolve, root_of
from realdeg.errors import ConfigError
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import Scale

# The test images of the authors' script; all others are for training.
TEST_IDS = (1, 16, 48, 60, 98)


@DATASETS.register_module()
class City100Dataset(ImageDataset):
    """City100: ``NNNH.PNG`` and ``NNNL.PNG``, LR on the HR grid.

    Args:
        camera: ``iPhoneX`` or ``NikonD5500``.
        split: ``train`` or ``test``; selects the images unless ``ids`` does.
        ids: Numbers and ranges, such as ``[1, "5-24"]`` or ``"1-24,51-56"``.
        folder: The folder of the images, absolute or below ``data_root``; None tries the names in
            the authors' repository.
        scale: A nominal value; the zoom ratio of the cameras is not an integer.
        same_size: Must be True.
        **settings: ``data_root``, ``seed``, ``transforms``, ``cache_mb``, ``whole_photos``, as in
            :class:`ImageDataset`.

    Raises:
        ConfigError: If camera, split or ids are invalid.
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
        **settings: Unpack[CommonSettings],
    ) -> None:
        self.camera = camera
        self.ids = None if ids is None else parse_ids(ids)
        self.folder = folder
        super().__init__(scale=scale, same_size=same_size, split=split, **settings)

    @property
    def label(self) -> str:
        """What the data set is called in messages."""
        return f"City100 {self.camera} {self.split}"

    def find(self) -> list[Record]:
        """Pair H with L by number."""
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
            "Set data_root to the folder that contains it, or folder to the one with 001H.PNG.",
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
    """Expand numbers and ranges, such as ``[1, "5-24"]`` or ``"1-24,51-56"``, in the given order.

    Raises:
        ConfigError: If an entry is neither a number nor a range.
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
