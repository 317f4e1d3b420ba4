"""The real super-resolution challenge of NTIRE 2019."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from typing_extensions import Unpack

from realdeg.datasets.base import CommonSettings
from realdeg.datasets.paired import PairedFolderDataset
from realdeg.datasets.records import find_folder, resolve, root_of, subfolder
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import Scale


@DATASETS.register_module()
class NTIRE19Dataset(PairedFolderDataset):
    """NTIRE 2019 real SR: ``{train,test}/{HR,LR}/cam*_*.png``, LR on the HR grid.

    Args:
        split: ``train`` or ``test``.
        folder: The folder of the splits, absolute or below ``data_root``; None tries
            ``NTIRE19-RealSR``.
        scale: A nominal value; the challenge states none.
        same_size: Must be True.
        **settings: ``data_root``, ``seed``, ``transforms``, ``cache_mb``, ``whole_photos``, as in
            :class:`ImageDataset`.

    Raises:
        ConfigError: If the split does not exist.
        DataError: If the folder is missing.
        GeometryError: If ``same_size`` is False.
    """

    grid = True
    protocol = "realsr-official"

    def __init__(
        self,
        split: Literal["train", "test"] = "train",
        folder: str | Path | None = None,
        *,
        scale: Scale = 4,
        same_size: bool = True,
        **settings: Unpack[CommonSettings],
    ) -> None:
        data_root = settings.get("data_root")
        if folder is not None:
            candidates = [resolve(folder, data_root)]
        else:
            candidates = [root_of(data_root) / name for name in ("NTIRE19-RealSR", "NTIRE19")]
        root = find_folder(
            candidates,
            "NTIRE 2019 RealSR",
            "Set data_root to the folder that holds it, or folder to the one that holds train and"
            " test.",
        )
        part = subfolder(root, split) or root / split
        super().__init__(
            (subfolder(part, "HR") or part / "HR").absolute(),
            (subfolder(part, "LR") or part / "LR").absolute(),
            split=split,
            scale=scale,
            same_size=same_size,
            **settings,
        )

    def meta_of(self, name: str) -> dict[str, str]:
        """Return the camera, which is the start of the name."""
        camera, mark, scene = name.partition("_")
        return dict(camera=camera, scene=scene) if mark else {}
