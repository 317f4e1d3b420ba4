"""Degradations: from HR to LR, sampled, applied, traced and learned."""

from realdeg.degradations.awgn import AWGN
from realdeg.degradations.base import Degradation
from realdeg.degradations.bicubic import Bicubic
from realdeg.degradations.build import build_degradation
from realdeg.degradations.containers import Compose
from realdeg.degradations.direct_kpn import DirectKPN
from realdeg.degradations.direct_net import DirectNet
from realdeg.degradations.dml import DML
from realdeg.degradations.encoder_decoder import EncoderDecoder
from realdeg.degradations.global_kernel import GlobalKernel
from realdeg.degradations.sample_camera import SampleCamera
from realdeg.degradations.trace import Trace

__all__ = [
    "AWGN",
    "DML",
    "Bicubic",
    "Compose",
    "Degradation",
    "DirectKPN",
    "DirectNet",
    "EncoderDecoder",
    "GlobalKernel",
    "SampleCamera",
    "Trace",
    "build_degradation",
]
