"""Discriminators: one file per network, all under one contract (:mod:`.base`)."""

from realdeg.discriminators.base import Discriminator
from realdeg.discriminators.bulat import BulatDiscriminator
from realdeg.discriminators.cincgan import CinCGANDiscriminator
from realdeg.discriminators.dsgan import DSGANDiscriminator
from realdeg.discriminators.filtered import FilteredDiscriminator
from realdeg.discriminators.kernel import KernelCritic
from realdeg.discriminators.patch_gan import PatchGANDiscriminator
from realdeg.discriminators.pdm import PDMDiscriminator
from realdeg.discriminators.srgan import SRGANDiscriminator
from realdeg.discriminators.unet import UNetDiscriminator
from realdeg.discriminators.vgg import VGGDiscriminator

__all__ = [
    "BulatDiscriminator",
    "CinCGANDiscriminator",
    "DSGANDiscriminator",
    "Discriminator",
    "FilteredDiscriminator",
    "PDMDiscriminator",
    "KernelCritic",
    "PatchGANDiscriminator",
    "SRGANDiscriminator",
    "UNetDiscriminator",
    "VGGDiscriminator",
]
