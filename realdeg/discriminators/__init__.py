"""Discriminators: one file per network, all under one contract (:mod:`.base`)."""

from realdeg.discriminators.base import Discriminator
from realdeg.discriminators.bulat import BulatDiscriminator
from realdeg.discriminators.dsgan import DSGANDiscriminator

__all__ = ["BulatDiscriminator", "DSGANDiscriminator", "Discriminator"]
