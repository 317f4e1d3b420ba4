"""Super-resolution networks: one file per network, all under one contract (:mod:`.base`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realdeg.backbones.adrsr import ADRSR
from realdeg.backbones.base import Backbone, Outputs
from realdeg.backbones.bicubic import Bicubic
from realdeg.backbones.blind import BlindBackbone
from realdeg.backbones.carn import CARN
from realdeg.backbones.carnm import CARNM
from realdeg.backbones.cincgan import CinCGANTranslator
from realdeg.backbones.clean_then_enlarge import CleanThenEnlarge
from realdeg.backbones.cnf import CNF
from realdeg.backbones.csnln import CSNLN
from realdeg.backbones.dan import DANv1, DANv2
from realdeg.backbones.dbpn import DBPN
from realdeg.backbones.depthwise_sr import DepthwiseSR
from realdeg.backbones.dfsa import DFSA
from realdeg.backbones.dnsr import DNSR
from realdeg.backbones.drcn import DRCN
from realdeg.backbones.drrn import DRRN
from realdeg.backbones.dsrn import DSRN
from realdeg.backbones.dwsr import DWSR
from realdeg.backbones.edsr import EDSR
from realdeg.backbones.espcn import ESPCN
from realdeg.backbones.fsrcnn import FSRCNN
from realdeg.backbones.hat import HAT
from realdeg.backbones.idn import IDN
from realdeg.backbones.ikc import IKC
from realdeg.backbones.ipt import IPT
from realdeg.backbones.ircnn import IRCNN
from realdeg.backbones.ircnn_hqs import IRCNNHQS
from realdeg.backbones.kmsr import KMSR
from realdeg.backbones.kpn import KPN
from realdeg.backbones.kxnet import KXNet
from realdeg.backbones.lapsrn import LapSRN
from realdeg.backbones.low_to_high import LowToHigh
from realdeg.backbones.lpkpn import LPKPN
from realdeg.backbones.mdsr import MDSR
from realdeg.backbones.memnet import MemNet
from realdeg.backbones.meta_sr import MetaSR
from realdeg.backbones.mslapsrn import MSLapSRN
from realdeg.backbones.msr_resnet import MSRResNet
from realdeg.backbones.msrn import MSRN
from realdeg.backbones.mwcnn import MWCNN
from realdeg.backbones.pcarn import PCARN
from realdeg.backbones.pixel_recursive import PixelRecursiveSR
from realdeg.backbones.pretrained import fetch_pretrained, find_pretrained, list_pretrained
from realdeg.backbones.progressive_carn import ProgressiveCARN
from realdeg.backbones.prosr import ProSR
from realdeg.backbones.rcan import RCAN
from realdeg.backbones.rdn import RDN
from realdeg.backbones.rednet import REDNet
from realdeg.backbones.rnan import RNAN
from realdeg.backbones.rrdbnet import RRDBNet
from realdeg.backbones.san import SAN
from realdeg.backbones.sftmd import SFTMD
from realdeg.backbones.span import SPAN
from realdeg.backbones.spandrel_model import SpandrelModel
from realdeg.backbones.sr_resnet import SRResNet
from realdeg.backbones.srcnn import SRCNN
from realdeg.backbones.srdensenet import SRDenseNet
from realdeg.backbones.srfbn import SRFBN
from realdeg.backbones.srmd import SRMD
from realdeg.backbones.srvgg_compact import SRVGGNetCompact
from realdeg.backbones.swinir import SwinIR
from realdeg.backbones.usrnet import USRNet
from realdeg.backbones.vdsr import VDSR
from realdeg.backbones.wave_resnet import WaveResNet
from realdeg.backbones.wavelet_srnet import WaveletSRNet
from realdeg.backbones.weights import load_weights, read_weights
from realdeg.utils.deprecation import renamed_attributes

__all__ = [
    "ADRSR",
    "Backbone",
    "Bicubic",
    "BlindBackbone",
    "CARN",
    "CARNM",
    "CNF",
    "CSNLN",
    "CinCGANTranslator",
    "CleanThenEnlarge",
    "DANv1",
    "DANv2",
    "DBPN",
    "DFSA",
    "DNSR",
    "DRCN",
    "DRRN",
    "DSRN",
    "DWSR",
    "DepthwiseSR",
    "EDSR",
    "ESPCN",
    "FSRCNN",
    "HAT",
    "IDN",
    "IKC",
    "IPT",
    "IRCNN",
    "IRCNNHQS",
    "KMSR",
    "KPN",
    "KXNet",
    "LPKPN",
    "LapSRN",
    "LowToHigh",
    "MDSR",
    "MSLapSRN",
    "MSRN",
    "MSRResNet",
    "MWCNN",
    "MemNet",
    "MetaSR",
    "Outputs",
    "PCARN",
    "PixelRecursiveSR",
    "ProSR",
    "ProgressiveCARN",
    "RCAN",
    "RDN",
    "REDNet",
    "RNAN",
    "RRDBNet",
    "SAN",
    "SFTMD",
    "SPAN",
    "SRCNN",
    "SRDenseNet",
    "SRFBN",
    "SRMD",
    "SRResNet",
    "SRVGGNetCompact",
    "SpandrelModel",
    "SwinIR",
    "USRNet",
    "VDSR",
    "WaveResNet",
    "WaveletSRNet",
    "fetch_pretrained",
    "find_pretrained",
    "list_pretrained",
    "load_weights",
    "read_weights",
]

if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(
        __name__,
        {name: "realdeg:create_backbone" for name in ("build_backbone", "create_backbone")},
    )
