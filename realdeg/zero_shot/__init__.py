"""Methods that learn from the image that they enlarge, under the contract of networks."""

from __future__ import annotations

from realdeg.zero_shot.base import ImageTraining, Watch, ZeroShot
from realdeg.zero_shot.dip import DIP
from realdeg.zero_shot.dip_fkp import DIPFKP
from realdeg.zero_shot.slope_rule import SlopeRule
from realdeg.zero_shot.variance_rule import VarianceRule
from realdeg.zero_shot.zssr import ZSSR

__all__ = [
    "DIP",
    "DIPFKP",
    "ZSSR",
    "ImageTraining",
    "SlopeRule",
    "VarianceRule",
    "Watch",
    "ZeroShot",
]
