"""DRealSR (Wei et al., ECCV 2020): real pairs of five cameras, and the crops of its test set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from typing_extensions import Unpack

from realdeg.datasets.base import CommonSettings
from realdeg.datasets.paired import PairedFolderDataset
from realdeg.datasets.records import find_folder, list_images, resolve, root_of, subfolder
from realdeg.errors import DataError
from realdeg.registry import DATASETS
from realdeg.utils.argument_types import Scale

_FOLDERS = ("DRealSR", "DrealSR", "drealsr")
# The crops of StableSR and the copies of others.
_CROPS = ("DrealSRVal_crop128", "benchmark_drealsr", "StableSR_testsets/DrealSRVal_crop128")
# Pairs of the release, as its README counts them.
_PAIRS = {("train", 4): 31970, ("test", 4): 93}


@DATASETS.register_module()
class DRealSRDataset(PairedFolderDataset):
    """DRealSR as released, or its test set as StableSR cropped it; LR is smaller than HR.

    The release is ``{x4/}{Train,Test}_x4/{train,test}_{HR,LR}``, with HR ``Canon_10_x4.png`` beside
    LR ``Canon_10_x1.png``. The crops are ``test_HR`` and ``test_LR`` alone, HR of 512 px and LR of
    128 px, both named ``Canon_10_x1.png``. So the end ``_x...`` is never part of a pair's name.

    Args:
        split: ``train`` or ``test``; the crops have only ``test``.
        folder: The folder of the release, of one of its scales or splits, or of the crops, absolute
            or below ``data_root``; None tries their usual names.
        crops: Whether the crops are meant, where ``folder`` is None.
        scale: 2, 3 or 4; the crops have 4.
        same_size: Must be False.
        **settings: ``data_root``, ``seed``, ``transforms``, ``cache_mb``, ``whole_photos``, as in
            :class:`ImageDataset`.

    Raises:
        ConfigError: If the split does not exist.
        DataError: If a folder is missing.
        GeometryError: If ``same_size`` is True.

    Source:
        The layout is that of TorchTools/DataTools/DataSets.py in the authors' repository CDC
        (commit 09e63af); the crops are those of preset/datasets/benchmark_drealsr in OSEDiff
        (commit fcc4f09), 93 pairs.
    """

    grid = False
    protocol = "stablesr-testsets"

    def __init__(
        self,
        split: Literal["train", "test"] = "train",
        folder: str | Path | None = None,
        crops: bool = False,
        *,
        scale: Scale = 4,
        same_size: bool = False,
        **settings: Unpack[CommonSettings],
    ) -> None:
        data_root = settings.get("data_root")
        if folder is not None:
            candidates = [resolve(folder, data_root)]
        else:
            names = _CROPS if crops else _FOLDERS
            candidates = [root_of(data_root) / name for name in names]
        root = find_folder(
            candidates,
            "DRealSR's crops" if crops else "DRealSR",
            f"Set data_root to the folder that holds it, or folder to the one that holds {split}_HR"
            f" and {split}_LR.",
        )
        place = _place_of(root, split, scale)
        super().__init__(
            (subfolder(place, f"{split}_HR") or place).absolute(),
            (subfolder(place, f"{split}_LR") or place / f"{split}_LR").absolute(),
            split=split,
            scale=scale,
            same_size=same_size,
            **settings,
        )
        pairs = _PAIRS.get((split, int(scale)))
        if pairs is not None and len(self.records) < pairs:
            self.missing.append(f"{pairs - len(self.records)} of the release's {pairs} pairs")

    @property
    def label(self) -> str:
        """What the data set is called in messages."""
        return f"DRealSR {self.split}"

    def meta_of(self, name: str) -> dict[str, str]:
        """Return the start of the name, which tells the camera, and the rest."""
        match = re.match(r"([A-Za-z]+)_?(.*)", name)
        return dict(camera=match[1], scene=match[2]) if match else {}

    def _names(self, folder: Path, pattern: str, argument: str) -> dict[str, Path]:
        """Name files without their end ``_x4``."""
        found = find_folder([folder], f"the folder of {argument}", "Set data_root or folder.")
        names: dict[str, Path] = {}
        for stem, file in list_images(found).items():
            name = re.sub(r"_x\d+$", "", stem)
            if name in names:
                raise DataError(
                    f"{self.label}: {found} holds {names[name].name} and {file.name}, one image at"
                    " two scales: keep the files of one scale in a folder."
                )
            names[name] = file
        return names


def _place_of(root: Path, split: str, scale: float) -> Path:
    """Return the folder of ``train_HR`` or ``test_HR``, in the release or in one of its parts."""
    part = f"{split}_x{scale}"
    places = [root]
    # Archives unpack to a folder in a folder of the same name.
    for name in ("DRealSR", f"x{scale}", part, part):
        places += [below for place in places if (below := subfolder(place, name)) is not None]
    for place in places:
        if subfolder(place, f"{split}_HR") is not None:
            return place
    present = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    raise DataError(
        f"DRealSR {split}: no folder {split}_HR in {root}, nor in x{scale}/{part} below it; it"
        f" holds {', '.join(present[:8]) or 'no folders'}. Is the scale right and the download"
        " complete?"
    )
