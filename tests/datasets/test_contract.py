"""What every registered data set of files, and every transform, promises."""

from __future__ import annotations

import tarfile

import pytest

from realdeg.datasets import ImageDataset
from realdeg.registry import DATASETS, TRANSFORMS
from realdeg.testing import DatasetContract, TransformContract
from realdeg.testing.datasets import write_picture


def ours(registry) -> list[str]:
    return [
        name for name in registry.names() if registry.get(name).__module__.startswith("realdeg.")
    ]


def pairs(folder, names, hr="{}.png", lr="{}.png", ratio=1):
    for seed, name in enumerate(names):
        write_picture(folder / hr.format(name), 32, 48, seed=seed)
        write_picture(folder / lr.format(name), 32 // ratio, 48 // ratio, seed=seed + 9)


def city100(folder):
    numbers = ("002", "003")
    pairs(folder / "City100" / "City100_iPhoneX", numbers, "{}H.PNG", "{}L.PNG")
    return {}


def drealsr(folder):
    place = folder / "DRealSR" / "x4" / "Train_x4"
    pairs(place, ("Canon_10", "sony_2"), "train_HR/{}_x4.png", "train_LR/{}_x1.png", ratio=4)
    return {}


def hr_folder(folder):
    for seed in range(2):
        write_picture(folder / "hr" / f"{seed}.png", 32, 48, seed=seed)
    return {"folder": "hr"}


def ntire19(folder):
    names = ("cam1_01", "cam2_01")
    pairs(folder / "NTIRE19-RealSR" / "train", names, "HR/{}.png", "LR/{}.png")
    return {}


def paired_folders(folder):
    pairs(folder, ("a", "b"), "hr/{}.png", "lr/{}.png", ratio=2)
    return {"hr_dir": "hr", "lr_dir": "lr"}


def realsr(folder):
    place = folder / "RealSR(V3)" / "Canon" / "Train" / "4"
    pairs(place, ("Canon_001", "Canon_002"), "{}_HR.png", "{}_LR4.png", ratio=4)
    return {"cameras": ["Canon"]}


def shards(folder):
    for shard, names in enumerate((("a", "b"), ("c",))):
        with tarfile.open(folder / f"shard-{shard:06d}.tar", "w") as archive:
            for seed, name in enumerate(names):
                for side, ratio in (("hr", 1), ("lr", 2)):
                    image = folder / f"{side}.png"
                    write_picture(image, 32 // ratio, 48 // ratio, seed=9 * shard + seed)
                    archive.add(image, f"{name}.{side}.png")
                    image.unlink()
    return {"root": str(folder)}


def sr_raw(folder):
    for seed in range(2):
        write_picture(folder / "SR-RAW" / "train" / f"{seed:05d}" / "00006.JPG", 32, 48, seed=seed)
    return {}


# What each needs: arguments, and a function that writes the files and says where they are.
LAYOUTS = {
    "City100Dataset": ({"scale": 4, "same_size": True}, city100),
    "DRealSRDataset": ({"scale": 4, "same_size": False}, drealsr),
    "HRFolderDataset": ({"scale": 2}, hr_folder),
    "HRShardDataset": ({"scale": 2, "field": "hr"}, shards),
    "NTIRE19Dataset": ({"scale": 4, "same_size": True}, ntire19),
    "PairedFolderDataset": ({"scale": 2}, paired_folders),
    "PairedShardDataset": ({"scale": 2}, shards),
    "RealSRDataset": ({"scale": 4, "same_size": False, "version": 3}, realsr),
    "SRRAWDataset": ({"scale": 4}, sr_raw),
    "SampleDataset": ({"scale": 4, "mode": "hr"}, lambda folder: {}),
}
# These join others, and have none of their own files: test_mixture.py, test_unpaired.py and
# test_scale_set.py.
JOINING = ("MixtureDataset", "ScaleSetDataset", "UnpairedDataset")
# Without images: test_kernel_set.py.
KERNELS = ("KernelSet",)


class TestEveryDataset(DatasetContract):
    @pytest.fixture(
        params=[name for name in ours(DATASETS) if name not in JOINING + KERNELS], autouse=True
    )
    def each(self, request):
        self.component = DATASETS.get(request.param)
        assert issubclass(self.component, ImageDataset)
        self.arguments, self.files = LAYOUTS[request.param]

    def write(self, folder):
        return self.files(folder)


ARGUMENTS = {
    "CentreCrop": {"patch_size": 16},
    "Degrade": {"degradation": {"type": "Compose", "parts": ["Bicubic", "AWGN"]}},
    "PairedCrop": {"patch_size": 16},
}


class TestEveryTransform(TransformContract):
    @pytest.fixture(params=ours(TRANSFORMS), autouse=True)
    def each(self, request):
        name = request.param
        self.component, self.arguments = TRANSFORMS.get(name), ARGUMENTS.get(name, {})
        self.takes_pairs = name not in ("Degrade", "DownsampleHR")
