"""Data sets, transforms and samplers.

Importing this package registers all of them.
"""

from realdeg.datasets.base import ImageDataset
from realdeg.datasets.city100 import City100Dataset
from realdeg.datasets.collate import collate_batch
from realdeg.datasets.drealsr import DRealSRDataset
from realdeg.datasets.hr_folder import HRFolderDataset
from realdeg.datasets.kernel_set import KernelSample, KernelSet, collate_kernels
from realdeg.datasets.mixture import MixtureDataset
from realdeg.datasets.ntire19 import NTIRE19Dataset
from realdeg.datasets.paired import PairedFolderDataset
from realdeg.datasets.realsr import RealSRDataset
from realdeg.datasets.records import Fault, Record
from realdeg.datasets.sample import SampleDataset
from realdeg.datasets.sampler import EvalSampler, PositionSampler
from realdeg.datasets.scale_set import ScaleSetDataset, collate_scales
from realdeg.datasets.shards import HRShardDataset, PairedShardDataset
from realdeg.datasets.sr_raw import SRRAWDataset
from realdeg.datasets.traits import has_lr, simulated_camera
from realdeg.datasets.transforms import (
    CentreCrop,
    Degrade,
    DownsampleHR,
    Flip,
    ModCrop,
    PackSample,
    PairedCrop,
    Transform,
)
from realdeg.datasets.unpaired import UnpairedDataset, collate_unpaired

__all__ = [
    "CentreCrop",
    "City100Dataset",
    "DRealSRDataset",
    "Degrade",
    "DownsampleHR",
    "EvalSampler",
    "Fault",
    "Flip",
    "HRFolderDataset",
    "HRShardDataset",
    "ImageDataset",
    "KernelSample",
    "KernelSet",
    "MixtureDataset",
    "ModCrop",
    "NTIRE19Dataset",
    "PackSample",
    "PairedCrop",
    "PairedFolderDataset",
    "PairedShardDataset",
    "PositionSampler",
    "RealSRDataset",
    "Record",
    "SRRAWDataset",
    "SampleDataset",
    "ScaleSetDataset",
    "Transform",
    "UnpairedDataset",
    "collate_batch",
    "collate_kernels",
    "collate_scales",
    "collate_unpaired",
    "has_lr",
    "simulated_camera",
]
