"""RealSR (Cai et al., ICCV 2019): real pairs of two cameras, three releases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from typing_extensions import Unpack

from realdeg.datasets.base import CommonSettings, ImageDataset
from realdeg.datasets.records import Record, find_folder, resolve, root_of, subfolder
from realdeg.errors import DataError, GeometryError
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import Scale

_FOLDERS = {
    1: ("RealSR (ICCV2019)", "RealSR(ICCV2019)", "RealSR(V1)", "RealSR-V1"),
    2: ("RealSR(V2)", "RealSR (V2)", "RealSR-V2"),
    3: ("RealSR(V3)", "RealSR (V3)", "RealSR-V3"),
}
# Scenes in the full release, both cameras together; not every scene has every scale.
_SCENES = {
    **{(1, "train"): 204, (1, "test"): 30, (2, "train"): 459, (2, "test"): 100},
    **{(3, "train"): 459, (3, "test"): 100},
}


@DATASETS.register_module()
class RealSRDataset(ImageDataset):
    """RealSR in its official layout.

    ``{folder}/{camera}/{Train,Test}/{scale}/{name}_HR.png`` and ``{name}_LR{scale}.png``. Not every
    scene has every scale, so files are paired by name and the rest is counted. V1 and V2 have LR on
    the HR grid, V3 has it ``scale`` times smaller.

    Args:
        version: 1 (ICCV 2019), 2 (used by DML) or 3.
        split: ``train`` or ``test``.
        cameras: Which cameras.
        folder: The folder of the cameras, absolute or below ``data_root``; None tries the names of
            the official archives.
        scale: 2, 3 or 4.
        same_size: Must be True for versions 1 and 2, False for 3.
        **settings: ``data_root``, ``seed``, ``transforms``, ``cache_mb``, ``whole_photos``, as in
            :class:`ImageDataset`.

    Raises:
        ConfigError: If version or split does not exist.
        DataError: If a folder is missing.
        GeometryError: If ``same_size`` contradicts the version.
    """

    protocol = "realsr-official"

    def __init__(
        self,
        version: Literal[1, 2, 3] = 2,
        split: Literal["train", "test"] = "train",
        cameras: Sequence[str] = ("Canon", "Nikon"),
        folder: str | Path | None = None,
        *,
        scale: Scale = 4,
        same_size: bool = True,
        **settings: Unpack[CommonSettings],
    ) -> None:
        self.version = version
        self.cameras = tuple(cameras)
        self.folder = folder
        self.unpaired_hr = 0
        self.unpaired_lr = 0
        super().__init__(scale=scale, same_size=same_size, split=split, **settings)

    @property
    def label(self) -> str:
        """What the data set is called in messages."""
        return f"RealSR V{self.version} {self.split}"

    def find(self) -> list[Record]:
        """Match HR with LR by name, camera by camera."""
        names = (self.folder,) if self.folder is not None else _FOLDERS[self.version]
        if self.folder is not None:
            candidates = [resolve(self.folder, self.data_root)]
        else:
            candidates = [root_of(self.data_root) / name for name in names]
        root = find_folder(
            candidates,
            f"RealSR V{self.version}",
            "Set data_root to the folder that holds it, or folder to the one that holds"
            f" {' and '.join(self.cameras)}.",
        )
        records = [record for camera in self.cameras for record in self._camera(root, camera)]
        if not records:
            raise DataError(
                f"{self.label}: no pair of *_HR.png and *_LR{self.scale}.png below {root}."
            )
        scenes = _SCENES[self.version, self.split]
        if len(records) < scenes:
            self.missing.append(
                f"{scenes - len(records)} of the release's {scenes} scenes have no pair here"
            )
        if self.unpaired_hr:
            self.missing.append(f"{self.unpaired_hr} HR without LR left out")
        if self.unpaired_lr:
            self.missing.append(f"{self.unpaired_lr} LR without HR left out")
        return records

    def _camera(self, root: Path, camera: str) -> list[Record]:
        folder = root
        for name in (camera, self.split.capitalize(), str(self.scale)):
            below = subfolder(folder, name)
            if below is None:
                present = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
                advice = ""
                scales = [int(folder) for folder in present if folder.isdigit()]
                if name == str(self.scale) and scales:
                    raise GeometryError(
                        f"{self.label}: {folder} holds no pairs of scale {name}, but of"
                        f" {', '.join(map(str, scales))}.",
                        fits=(scales[-1], self.same_size),
                    )
                if name == camera:
                    advice = " To do without this camera, leave it out of cameras."
                raise DataError(
                    f"{self.label}: the folder {folder / name} is missing; {folder} holds"
                    f" {', '.join(present) or 'no folders'}. Is the download complete?{advice}"
                )
            folder = below
        pattern = re.compile(rf"(.+)_(HR|LR{self.scale})\.png", re.IGNORECASE)
        found: dict[str, dict[str, Path]] = {}
        for file in sorted(folder.iterdir()):
            match = pattern.fullmatch(file.name)
            if match and not file.name.startswith("."):
                found.setdefault(match[1], {})[match[2][:2].upper()] = file
        records = []
        for name, pair in found.items():
            if len(pair) == 2:
                meta = dict(camera=camera, scene=name.rsplit("_", 1)[-1])
                records.append(Record(name, pair["HR"], pair["LR"], meta))
            elif "HR" in pair:
                self.unpaired_hr += 1
            else:
                self.unpaired_lr += 1
        return records

    def _check_grid(self) -> None:
        wanted = self.version in (1, 2)
        if self.same_size == wanted:
            return
        if wanted:
            raise GeometryError(
                f"RealSR V{self.version} pairs are of equal size, but same_size=False: use"
                f" same_size=True (configs such as dml_n8_realsr_x{self.scale}), or version=3 for"
                f" LR that is smaller (dml_n8_realsrv3_x{self.scale})."
            )
        raise GeometryError(
            f"RealSR V3 has LR that is {self.scale} times smaller than HR, but same_size=True: use"
            f" same_size=False (configs such as dml_n8_realsrv3_x{self.scale}), or version=2 for"
            f" pairs of equal size (dml_n8_realsr_x{self.scale})."
        )
