"""Transforms between decoded files and a batch."""

from realdeg.datasets.transforms.base import Transform
from realdeg.datasets.transforms.crop import CentreCrop, ModCrop, PairedCrop
from realdeg.datasets.transforms.degrade import Degrade
from realdeg.datasets.transforms.downsample import DownsampleHR
from realdeg.datasets.transforms.flip import Flip
from realdeg.datasets.transforms.pack import PackSample

__all__ = [
    "CentreCrop",
    "Degrade",
    "DownsampleHR",
    "Flip",
    "ModCrop",
    "PackSample",
    "PairedCrop",
    "Transform",
]
