"""What papers report of the backbones, and what published weights give here.

PSNR in dB on Set5 at scales 2, 3 and 4: luminance, a border of as many pixels as the scale left
out, LR made by MATLAB's bicubic interpolation. None: not reported, or not measured. Published
numbers are those that later papers compare with (the tables of CARN and SRFBN), or the network's
own paper.
"""

from __future__ import annotations

Three = tuple[float | None, float | None, float | None]

# A row's name, and the arguments that make it of the registered type.
VARIANTS: dict[str, tuple[str, dict[str, object]]] = {
    "DBPN-S": ("DBPN", {"preset": "dbpns"}),
    "DBPN-LL": ("DBPN", {"preset": "dbpnll"}),
    "DBPN-RES-MR": ("DBPN", {"preset": "dbpn_res_mr64_3"}),
    "DRRN without BN": ("DRRN", {"use_bn": False, "bias": False}),
    "FSRCNN-s": ("FSRCNN", {"preset": "fsrcnn_s"}),
    "MetaSR with EDSR": ("MetaSR", {"trunk": "edsr"}),
    "ProSRs": ("ProSR", {"preset": "prosrs"}),
    "RCAN, 100 layers": ("RCAN", {"preset": "rcan_100"}),
    "SRCNN 9-1-5": ("SRCNN", {"kernels": "9-1-5"}),
    "SRFBN-S": ("SRFBN", {"preset": "srfbn_s"}),
}

PUBLISHED: dict[str, Three] = {
    "CARN": (37.76, 34.29, 32.13),
    "CARNM": (37.53, 33.99, 31.92),
    "CNF": (37.66, 33.74, 31.55),
    "DBPN": (38.09, None, 32.47),
    "DRCN": (37.63, 33.82, 31.53),
    "DRRN": (37.74, 34.03, 31.68),
    "ESPCN": (None, 33.13, None),
    "FSRCNN": (37.00, 33.16, 30.71),
    "IDN": (37.83, 34.11, 31.82),
    "LapSRN": (37.52, None, 31.54),
    "MemNet": (37.78, 34.09, 31.74),
    "MSRN": (38.08, 34.38, 32.07),
    "REDNet": (37.66, 33.82, 31.51),
    "SRCNN": (36.66, 32.75, 30.48),
    "SRDenseNet": (None, None, 32.02),
    "SRFBN": (38.11, 34.70, 32.47),
    "SRFBN-S": (37.78, 34.20, 31.98),
    "VDSR": (37.53, 33.66, 31.35),
}

# With the published weights that docs/weights.md names, their own arguments included.
OURS: dict[str, Three] = {
    "CARNM": (37.64, 34.05, 31.87),
    "FSRCNN": (37.10, 32.58, 30.50),
    "IDN": (37.82, 34.11, 31.81),
    "LapSRN": (37.45, 33.78, 31.52),
    "MSLapSRN": (37.70, 34.03, 31.72),
    "VDSR": (37.57, 33.74, 31.44),
}
