"""SR-RAW (Zhang et al., Zoom to Learn, CVPR 2019): scenes at several focal lengths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval
from typing_extensions import Unpack

from realdeg.datasets.base import CommonSettings, ImageDataset
from realdeg.datasets.records import Record, find_folder, resolve, root_of
from realdeg.errors import DataError
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import RealScale

_SHOT = re.compile(r"(\d{5})\.jpe?g", re.IGNORECASE)
_SCENE = re.compile(r"\d{5}")


@DATASETS.register_module()
class SRRAWDataset(ImageDataset):
    """One focal length of SR-RAW, as the JPEG files of the camera ("SR-RGB" in the DML paper).

    ``{train,test}/NNNNN/0000N.JPG``: a scene is a folder of about seven shots, 00001 at the longest
    focal length (240 mm), 00006 mostly at 35 mm. The shots of a scene differ in view and exposure
    and are not aligned, so this data set has no pairs: it gives the shots of one number (Zhang et
    al., Zoom to Learn, Learn to Zoom, CVPR 2019). As the second part of ``UnpairedDataset``
    (``real="hr"``) they are the real LR; as the first they are HR. ``realdeg register`` makes pairs
    of two shots, and ``realdeg reproduce figure6`` finds one shot in the other. Layout:
    ceciliavision/zoom-learn-zoom, 06ce912. Raw files beside the JPEG files are left alone.

    Args:
        split: ``train`` or ``test``.
        shot: The number of the shot, 1 to 8.
        folder: The folder of the splits, absolute or below ``data_root``; None tries ``SR-RAW``.
        scale: The scale of the degradation, or of the network that the shots are given to.
        same_size: Whether LR will lie on the HR grid.
        **settings: ``data_root``, ``seed``, ``transforms``, ``cache_mb``, ``whole_photos``, as in
            :class:`ImageDataset`.

    Raises:
        ConfigError: If split or shot does not exist.
        DataError: If the folder is missing, or no scene has that shot.
    """

    def __init__(
        self,
        split: Literal["train", "test"] = "train",
        shot: Annotated[int, Interval(ge=1, le=8)] = 6,
        folder: str | Path | None = None,
        *,
        scale: RealScale = 4,
        same_size: bool = False,
        **settings: Unpack[CommonSettings],
    ) -> None:
        self.shot = shot
        self.folder = folder
        self.scenes: dict[str, dict[int, Path]] = {}
        """All shots of the scenes, by number: shot 1 has the longest focal length."""
        super().__init__(scale=scale, same_size=same_size, split=split, **settings)

    @property
    def label(self) -> str:
        """What the data set is called in messages."""
        return f"SR-RAW {self.split}, shot {self.shot}"

    def find(self) -> list[Record]:
        """List the scenes and their shots."""
        if self.folder is not None:
            candidates = [resolve(self.folder, self.data_root)]
        else:
            candidates = [root_of(self.data_root) / name for name in ("SR-RAW", "SRRAW", "SR_RAW")]
        root = find_folder(
            candidates,
            "SR-RAW",
            "Set data_root to the folder that holds it, or folder to the one that holds train and"
            " test.",
        )
        place = find_folder([root / self.split], f"SR-RAW {self.split}", "Unpack it there.")
        for scene in sorted(place.iterdir()):
            if _SCENE.fullmatch(scene.name) and scene.is_dir():
                matches = ((_SHOT.fullmatch(file.name), file) for file in sorted(scene.iterdir()))
                self.scenes[scene.name] = {int(found[1]): file for found, file in matches if found}
        records = [
            Record(f"{scene}/{self.shot:05d}", shots[self.shot], meta=dict(scene=scene))
            for scene, shots in self.scenes.items()
            if self.shot in shots
        ]
        if not records:
            raise DataError(
                f"{self.label}: none of {len(self.scenes)} scenes below {place} has a file"
                f" {self.shot:05d}.JPG."
            )
        if len(records) < len(self.scenes):
            left = len(self.scenes) - len(records)
            self.missing.append(f"{left} of {len(self.scenes)} scenes have no shot {self.shot}")
        return records
