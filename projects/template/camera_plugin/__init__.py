"""Components for realdeg: importing this package registers them."""

from camera_plugin.container import SomeOf
from camera_plugin.dataset import ListedImages
from camera_plugin.degradation import ChromaticAberration
from camera_plugin.loss import FrequencyLoss
from camera_plugin.network import AnchorNet

__all__ = ["AnchorNet", "ChromaticAberration", "FrequencyLoss", "ListedImages", "SomeOf"]
