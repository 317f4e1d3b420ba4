"""Published PSNR of the backbones, and what published weights reach here.

PSNR in dB on Set5 at scales 2, 3 and 4: luminance, a border of ``scale`` pixels excluded, LR by
MATLAB's bicubic interpolation. None: not reported, or not measured. Published values are those that
later papers compare with (the tables of CARN and SRFBN), or the network's own paper's: for the
smallest of several training sets, without pretraining if available.
"""

from __future__ import annotations

Three = tuple[float | None, float | None, float | None]

# A row's name, and the arguments that make it of the registered type.
VARIANTS: dict[str, tuple[str, dict[str, object]]] = {
    "DBPN-S": ("DBPN", {"preset": "dbpns"}),
    "DBPN-LL": ("DBPN", {"preset": "dbpnll"}),
    "DBPN-RES-MR": ("DBPN", {"preset": "dbpn_res_mr64_3"}),
    "DRRN without BN": ("DRRN", {"use_bn": False, "bias": False}),
    "EDSR, full": ("EDSR", {"preset": "full"}),
    "FSRCNN-s": ("FSRCNN", {"preset": "fsrcnn_s"}),
    "HAT-L": ("HAT", {"preset": "hat_l"}),
    "HAT-S": ("HAT", {"preset": "hat_s"}),
    "MDSR, full": ("MDSR", {"preset": "full"}),
    "MWCNN v1": ("MWCNN", {"version": "v1"}),
    "MetaSR with EDSR": ("MetaSR", {"trunk": "edsr"}),
    "ProSRs": ("ProSR", {"preset": "prosrs"}),
    "RCAN, 100 layers": ("RCAN", {"preset": "rcan_100"}),
    "RDN A": ("RDN", {"preset": "A"}),
    "RRDBNet, 6 blocks": ("RRDBNet", {"num_blocks": 6}),
    "SPAN, fused": ("SPAN", {"fused": True}),
    "SPAN-S": ("SPAN", {"num_features": 48}),
    "SPAN-S, fused": ("SPAN", {"num_features": 48, "fused": True}),
    "SRCNN 9-1-5": ("SRCNN", {"kernels": "9-1-5"}),
    "SRFBN-S": ("SRFBN", {"preset": "srfbn_s"}),
    "SRMDNF": ("SRMD", {"noise": False}),
    "SRVGGNetCompact, 32 layers": ("SRVGGNetCompact", {"num_convs": 32}),
    "SwinIR lightweight": ("SwinIR", {"preset": "lightweight"}),
    "SwinIR real, L": ("SwinIR", {"preset": "real_l"}),
    "SwinIR real, M": ("SwinIR", {"preset": "real_m"}),
    "USRNet tiny": ("USRNet", {"preset": "tiny"}),
    "WaveResNet NTIRE": ("WaveResNet", {"preset": "ntire"}),
}

PUBLISHED: dict[str, Three] = {
    "CARN": (37.76, 34.29, 32.13),
    "CARNM": (37.53, 33.99, 31.92),
    "CNF": (37.66, 33.74, 31.55),
    "CSNLN": (38.28, 34.74, 32.68),
    "DBPN": (38.09, None, 32.47),
    "DFSA": (38.38, 34.92, 32.79),  # as a later paper quotes it, perhaps with self-ensemble
    "DRCN": (37.63, 33.82, 31.53),
    "DRRN": (37.74, 34.03, 31.68),
    "DWSR": (37.43, 33.82, 31.39),
    "EDSR": (37.99, 34.37, 32.09),
    "EDSR, full": (38.11, 34.65, 32.46),
    "ESPCN": (None, 33.13, None),
    "FSRCNN": (37.00, 33.16, 30.71),
    "HAT": (38.63, 35.07, 33.04),
    "IDN": (37.83, 34.11, 31.82),
    "IPT": (38.37, 34.81, 32.64),
    "LapSRN": (37.52, None, 31.54),
    "MDSR, full": (38.11, 34.66, 32.50),
    "MSRN": (38.08, 34.38, 32.07),
    "MWCNN": (37.95, 34.21, 32.14),  # no border excluded, LR luminance not rounded
    "MWCNN v1": (37.91, 34.17, 32.12),  # likewise
    "MemNet": (37.78, 34.09, 31.74),
    "RCAN": (38.27, 34.74, 32.63),
    "RDN": (38.24, 34.71, 32.47),
    "REDNet": (37.66, 33.82, 31.51),
    "RNAN": (38.17, 34.66, 32.49),
    "RRDBNet": (None, None, 32.73),
    "SAN": (38.31, 34.75, 32.64),
    "SPAN": (38.08, None, 32.20),
    "SPAN, fused": (38.08, None, 32.20),
    "SRCNN": (36.66, 32.75, 30.48),
    "SRDenseNet": (None, None, 32.02),
    "SRFBN": (38.11, 34.70, 32.47),
    "SRFBN-S": (37.78, 34.20, 31.98),
    "SRMD": (37.53, 33.86, 31.59),
    "SRMDNF": (37.79, 34.12, 31.96),
    "SRResNet": (None, None, 32.05),
    "SwinIR": (38.35, 34.89, 32.72),
    "SwinIR lightweight": (38.14, 34.62, 32.44),
    "VDSR": (37.53, 33.66, 31.35),
    "WaveResNet": (37.57, 33.86, 31.52),
}

# With the published weights that docs/weights.md names, their own arguments included.
OURS: dict[str, Three] = {
    "CARNM": (37.64, 34.05, 31.87),
    "FSRCNN": (37.10, 32.58, 30.50),
    "IDN": (37.82, 34.11, 31.81),
    "LapSRN": (37.45, 33.78, 31.52),
    "MSLapSRN": (37.70, 34.03, 31.72),
    "SRMD": (37.43, 33.80, 31.55),
    "SRMDNF": (37.69, 34.08, 31.93),
    "USRNet tiny": (37.39, 34.01, 31.92),
    "VDSR": (37.57, 33.74, 31.44),
}
