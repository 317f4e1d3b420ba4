"""Degradations from HR to LR: sampled, replayed, traced and learned."""

from typing import TYPE_CHECKING

from realdeg.degradations.awgn import AWGN
from realdeg.degradations.back_projection import BackProjection
from realdeg.degradations.base import Degradation
from realdeg.degradations.bicubic import Bicubic
from realdeg.degradations.blind_face import BlindFace
from realdeg.degradations.blur_down import BlurDown
from realdeg.degradations.bsrgan import BSRGAN
from realdeg.degradations.bsrgan_plus import BSRGANPlus
from realdeg.degradations.camera_isp import CameraISP
from realdeg.degradations.choices import Maybe, OneOf
from realdeg.degradations.chroma_shift import ChromaShift
from realdeg.degradations.cincgan import CinCGANDegradation
from realdeg.degradations.containers import Compose
from realdeg.degradations.degflow import DegFlow
from realdeg.degradations.direct_kpn import DirectKPN
from realdeg.degradations.direct_net import DirectNet
from realdeg.degradations.dither import Dither
from realdeg.degradations.dml import DML
from realdeg.degradations.dsgan import DSGAN
from realdeg.degradations.encoder_decoder import EncoderDecoder
from realdeg.degradations.field_blur import FieldBlur
from realdeg.degradations.flow_kernel import FlowKernel
from realdeg.degradations.global_kernel import GlobalKernel
from realdeg.degradations.halo import Halo
from realdeg.degradations.high_to_low import HighToLow
from realdeg.degradations.jpeg import JPEG
from realdeg.degradations.kernel_generator import KernelGenerator
from realdeg.degradations.kernel_pool import KernelPool
from realdeg.degradations.learned_noise import LearnedNoise
from realdeg.degradations.mosaic import Mosaic
from realdeg.degradations.noise_pool import NoisePool
from realdeg.degradations.pdm import PDM
from realdeg.degradations.pipeline import PipelineDegradation
from realdeg.degradations.random_order import RandomOrder
from realdeg.degradations.real_esrgan import RealESRGAN
from realdeg.degradations.repeat import Repeat
from realdeg.degradations.sample_camera import SampleCamera
from realdeg.degradations.scale_dml import ScaleDML
from realdeg.degradations.screentone import Screentone
from realdeg.degradations.srmd import SRMD
from realdeg.degradations.steps import register_step
from realdeg.degradations.tone_map import ToneMap
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.degradations.true_kernels import kernels_of, widened
from realdeg.degradations.video_codec import VideoCodec
from realdeg.utils.deprecation import renamed_attributes

__all__ = [
    "AWGN",
    "BSRGAN",
    "BSRGANPlus",
    "BackProjection",
    "Bicubic",
    "BlindFace",
    "BlurDown",
    "CameraISP",
    "ChromaShift",
    "CinCGANDegradation",
    "Compose",
    "DML",
    "DSGAN",
    "DegFlow",
    "Degradation",
    "Dither",
    "DirectKPN",
    "DirectNet",
    "EncoderDecoder",
    "FieldBlur",
    "FlowKernel",
    "GlobalKernel",
    "Halo",
    "HighToLow",
    "JPEG",
    "KernelGenerator",
    "KernelPool",
    "LearnedNoise",
    "Maybe",
    "Mosaic",
    "NoisePool",
    "OneOf",
    "PDM",
    "PipelineDegradation",
    "RandomOrder",
    "RealESRGAN",
    "Repeat",
    "SRMD",
    "SampleCamera",
    "ScaleDML",
    "Screentone",
    "ToneMap",
    "Trace",
    "TraceParams",
    "VideoCodec",
    "kernels_of",
    "register_step",
    "widened",
]

if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(__name__, {"build_degradation": "realdeg:create_degradation"})
