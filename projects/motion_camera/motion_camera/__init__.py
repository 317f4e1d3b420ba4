"""Components for realdeg, from outside: importing this package registers them."""

from motion_camera.degradation import MotionBlur
from motion_camera.network import SubPixelNet

__all__ = ["MotionBlur", "SubPixelNet"]
