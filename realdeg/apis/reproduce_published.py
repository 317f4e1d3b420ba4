"""Published values beside which ``realdeg reproduce`` writes its own.

``TABLE1`` and ``TABLE2`` are those of Xiao, Yong and Zhang, Degradation Model Learning for
Real-World Single Image Super-Resolution (ACCV 2020); ``SCALES`` is from Tables 2 and 3 of Kim et
al., DegFlow (AAAI 2026).
"""

from __future__ import annotations

TABLE1: tuple[tuple[str, str, str], ...] = (
    (
        "DML 4",
        "37.82/.9862 36.46/.9848 35.61/.9840",
        "33.23/.9544 30.09/.9150 28.50/.8856",
    ),
    (
        "DML 8",
        "37.93/.9864 36.54/.9850 35.75/.9842",
        "33.32/.9552 30.18/.9157 28.60/.8864",
    ),
    (
        "DML 16",
        "37.90/.9863 36.51/.9849 35.73/.9841",
        "33.28/.9548 30.16/.9153 28.58/.8859",
    ),
    (
        "DirectNet",
        "37.70/.9864 36.33/.9843 35.50/.9838",
        "33.13/.9539 30.01/.9144 28.42/.8853",
    ),
    (
        "DirectKPN",
        "37.77/.9863 36.35/.9844 35.56/.9836",
        "33.16/.9545 30.06/.9147 28.48/.8860",
    ),
)
"""PSNR and SSIM at x2, x3 and x4: generated LR against real LR; VDSR trained on generated LR."""

TABLE2: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "VDSR": (
        ("RealSR", "real", "", ".141/.224/.291 33.60/30.53/28.92 .957/.919/.887"),
        ("Syn-DSGAN", "syn_dsgan", "DSGAN", ".145/.240/.309 32.47/29.57/27.20 .949/.908/.851"),
        ("Syn-DML", "syn_dml", "DML 8", ".137/.218/.284 33.32/30.18/28.60 .955/.916/.886"),
        (
            "RealSR + Syn-DSGAN",
            "realsr_syn_dsgan",
            "DSGAN",
            ".151/.234/.289 33.35/30.13/28.56 .954/.915/.885",
        ),
        (
            "RealSR + Syn-DML",
            "realsr_syn_dml",
            "DML 8",
            ".124/.198/.267 33.50/30.37/28.86 .957/.918/.889",
        ),
    ),
    "RCAN": (
        ("RealSR", "real", "", ".141/.227/.283 33.91/30.86/29.26 .960/.924/.896"),
        ("Syn-DSGAN", "syn_dsgan", "DSGAN", ".148/.239/.319 32.45/29.78/27.95 .948/.916/.877"),
        ("Syn-DML", "syn_dml", "DML 8", ".131/.210/.265 33.38/30.29/28.66 .956/.918/.887"),
        (
            "RealSR + Syn-DSGAN",
            "realsr_syn_dsgan",
            "DSGAN",
            ".143/.230/.288 33.50/30.56/28.80 .956/.920/.888",
        ),
        (
            "RealSR + Syn-DML",
            "realsr_syn_dml",
            "DML 8",
            ".123/.195/.242 33.73/30.61/28.99 .958/.921/.891",
        ),
    ),
}
"""Training set, recipe, what degrades; LPIPS, PSNR and SSIM, each at x2, x3 and x4."""

SCALES: tuple[tuple[str, str, dict[str, str | None]], ...] = (
    ("real x3 pairs", "", {"RCAN": "30.68", "HAT": "30.71", "SwinIR": "30.69", "MetaSR": "30.43"}),
    ("DegFlow", "DegFlow", {"RCAN": "30.72", "HAT": "30.86", "SwinIR": "30.78", "MetaSR": "30.58"}),
    ("DML with scale", "ScaleDML", {"RCAN": None, "HAT": None, "SwinIR": None, "MetaSR": None}),
)
"""What degrades, the class that must be there, and PSNR at x3 on RealSR V2 by network."""
