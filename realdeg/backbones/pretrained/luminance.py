"""Weights of networks of luminance: SRCNN to IDN."""

from __future__ import annotations

from realdeg.backbones.pretrained.entry import (
    MEASURED,
    RGB_BORDER,
    Y_BORDER,
    Pretrained,
    hash_in_name,
    in_git,
)

_T91 = "91 images of Yang et al.; bicubic"
_T291 = "91 images of Yang et al., BSDS200; bicubic"
_LAPSRN = "phoenix104104/LapSRN/95154bba82a3aab9bdaec8e0eedd4187babc5ed2/pretrained_models"
_IDN = "Zheng222/IDN-Caffe/482c601336000f5c00b0e93f83a525f0fc917830/test/caffemodel"
_CAFFE_VDSR = "huangzehao/caffe-vdsr/5a839232d179c10736ed94e7142068b168b61cf6"
_VDSR = "twtygqyy/pytorch-vdsr/514b021044018baf909e79f48392783daa592888/model"
_TWTYGQYY = "twtygqyy/pytorch-LapSRN/1b7737abe6ccaef2d14b673d301edbace3414c02/model"
_PORT = "lorenzomammana/MSLapSRN-pytorch/dc56d7d49c72af387167c02226d197a5c7bd2839"


def _dropbox(
    type: str,  # noqa: A002
    repository: str,
    scale: int,
    key: str,
    psnr: float,
    trained_on: str = _T91,
) -> Pretrained:
    file = f"{type.lower()}_x{scale}.pth"
    return Pretrained(
        type=type,
        name="yjn870",
        scales=(scale,),
        page=f"https://github.com/yjn870/{repository}",
        licence="not stated",
        trained_on=trained_on,
        file=file,
        url=f"https://www.dropbox.com/s/{key}/{file}?dl=1",
        set5=(psnr,),
        protocol="Y; border not stated",
    )


YJN870: tuple[Pretrained, ...] = (
    _dropbox("SRCNN", "SRCNN-pytorch", 2, "rxluu1y8ptjm4rn", 36.65),
    _dropbox("SRCNN", "SRCNN-pytorch", 3, "zn4fdobm2kw0c58", 33.29),
    _dropbox("SRCNN", "SRCNN-pytorch", 4, "pd5b2ketm0oamhj", 30.25),
    _dropbox("FSRCNN", "FSRCNN-pytorch", 2, "1k3dker6g7hz76s", 37.12),
    _dropbox("FSRCNN", "FSRCNN-pytorch", 3, "pm1ed2nyboulz5z", 33.22),
    _dropbox("FSRCNN", "FSRCNN-pytorch", 4, "vsvumpopupdpmmu", 30.50),
    _dropbox("ESPCN", "ESPCN-pytorch", 3, "2fl5jz5nw9oiw1f", 32.88),
    _dropbox("SRDenseNet", "SRDenseNet-pytorch", 4, "wbzynzew6k2e7gc", 31.80, "COCO 2017; bicubic"),
)

SRCNN: tuple[Pretrained, ...] = tuple(
    Pretrained(
        type="SRCNN",
        name="mmagic",
        scales=(4,),
        page="https://github.com/open-mmlab/mmagic/tree/main/configs/srcnn",
        licence="Apache-2.0",
        trained_on="DIV2K; bicubic",
        file=file,
        url=f"https://download.openmmlab.com/mmediting/restorers/srcnn/{file}",
        arguments={"kernels": "9-1-5", "colour": "rgb"},
        sha256=hash_in_name(file),
        hash_from="publisher",
        set5=(28.43,),
        protocol=RGB_BORDER,
    )
    for file in ("srcnn_x4k915_1x16_1000k_div2k_20200608-4186f232.pth",)
)

VDSR: tuple[Pretrained, ...] = (
    in_git(
        "VDSR",
        "official",
        (2, 3, 4),
        f"{_CAFFE_VDSR}/Test",
        "VDSR_Official.mat",
        licence="MIT",
        trained_on=_T291,
        sha256="f613166660840af1a2ca47e31b0337b951e7c4e094364f6135a16d81a55c323c",
        size=2490083,
        set5=(37.53, 33.66, 31.35),
    ),
    in_git(
        "VDSR",
        "huangzehao",
        (2, 3, 4),
        f"{_CAFFE_VDSR}/Train",
        "VDSR_Adam.caffemodel",
        licence="MIT",
        trained_on=_T291,
        sha256="9199251105e65ccbe3c720192366383e12fca21afaa71a792595b13eb2d8ae9d",
        size=2666880,
        set5=(37.58, 33.68, 31.33),
    ),
    in_git(
        "VDSR",
        "twtygqyy",
        (2, 3, 4),
        _VDSR,
        "model_epoch_50.pth",
        licence="MIT",
        trained_on=_T291,
        arguments={"bias": False},
        sha256="eab4d79ae5a6e5acef4c55e46015aed225ade207679bcb6695b07af8fb18e876",
        size=2680962,
        set5=(37.57, 33.74, 31.44),
        protocol=MEASURED,
    ),
)

LAPSRN: tuple[Pretrained, ...] = (
    *(
        in_git(
            "LapSRN",
            "official",
            (scale,),
            _LAPSRN,
            f"LapSRN_x{scale}.mat",
            licence="not stated",
            trained_on=_T291,
            sha256=digest,
            size=size,
            set5=(psnr,),
        )
        for scale, size, psnr, digest in (
            (2, 1518234, 37.52, "e368225004e2d5e49d772c5c4eb16c3f28f7fe3b68fec7a9bb91f55e25602baa"),
            (4, 3032853, 31.54, "1d845a3efdca8848968df9e216931419e3b1122373a233d612b4f599985e6367"),
            (8, 2486279, 26.14, "a887221465fe22ebda8ad5963cf812db807e7a9aa8e9d9453aee60e237af5e10"),
        )
    ),
    in_git(
        "LapSRN",
        "twtygqyy",
        (4,),
        _TWTYGQYY,
        "model_epoch_100.pth",
        licence="MIT",
        trained_on=_T291,
        arguments={"feature_kernel": 4, "bias": False},
        sha256="acdd5bf5a2686bcb9e458d72ea811fb0b087adbd70225eb92aeb4793dfb8c7d0",
        size=3509722,
        set5=(31.65,),
    ),
    *(
        in_git(
            "MSLapSRN",
            f"official-d5r{recursions}",
            (2, 3, 4, 8),
            _LAPSRN,
            f"MSLapSRN_D5R{recursions}.mat",
            licence="not stated",
            trained_on=_T291,
            arguments={"recursions": recursions},
            sha256=digest,
            size=size,
            set5=(*psnr, None),
            protocol=MEASURED,
        )
        for recursions, size, psnr, digest in (
            (
                2,
                920148,
                (37.55, 33.85, 31.60),
                "4b214952ef911a2ff95354c0669f3e0766bc6c5decbfca7ddb39834f3998da11",
            ),
            (
                5,
                933421,
                (37.64, 33.97, 31.72),
                "149e78a5d7ab1024b3947b46d2b26c86759aa90b261be222cc75c60cf384b25c",
            ),
            (
                8,
                987015,
                (37.70, 34.03, 31.72),
                "96dbabe91e964a83b545dbd98580586c5ae312b4f7294ea10519100d0dd1d52d",
            ),
        )
    ),
    in_git(
        "MSLapSRN",
        "lorenzomammana",
        (4,),
        _PORT,
        "best.pt",
        licence="not stated",
        trained_on=_T291,
        arguments={"recursions": 5, "port": True},
        sha256="ce5a36251b272844d0de1a4741185e8eacbce8863cf5620cf00ae401fe283360",
        size=2682567,
        set5=(31.83,),
        protocol=MEASURED,
    ),
)

IDN: tuple[Pretrained, ...] = tuple(
    in_git(
        "IDN",
        name,
        (scale,),
        _IDN,
        file,
        licence="not stated",
        trained_on=data,
        sha256=digest,
        size=size,
        set5=(psnr,),
        protocol=MEASURED if name == "official-mscoco" else Y_BORDER,
    )
    for name, scale, file, data, size, psnr, digest in (
        (
            "official",
            2,
            "IDN_x2.caffemodel",
            _T291,
            2217741,
            37.83,
            "eed047c60c2af108140e14a1ebcd78701c5645837c35c740419ab3533db26b99",
        ),
        (
            "official",
            3,
            "IDN_x3.caffemodel",
            _T291,
            2217744,
            34.11,
            "ef94a2760f3975876021b6be884f27c491e445937934be0339d5711cf1afa1af",
        ),
        (
            "official",
            4,
            "IDN_x4.caffemodel",
            _T291,
            2217748,
            31.82,
            "1be49ba811d6d3f2fd61bbaa345e4a5a70746bb24f723b734dc8af9c817b96c2",
        ),
        (
            "official-mscoco",
            4,
            "IDN_x4_mscoco.caffemodel",
            "MS COCO; bicubic",
            2217743,
            31.85,
            "9af195d98eb67c99e887c0d50f4ac47bd506591a46e70c46259c09bb7b9f3f26",
        ),
    )
)

ENTRIES: tuple[Pretrained, ...] = (*YJN870, *SRCNN, *VDSR, *LAPSRN, *IDN)
