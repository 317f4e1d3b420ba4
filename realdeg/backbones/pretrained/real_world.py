"""Weights of the ESRGAN family and of small networks for photos and drawings as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realdeg.backbones.pretrained.entry import MEASURED, RGB_BORDER, Pretrained, hash_in_name

_REALESRGAN_PAGE = "https://github.com/xinntao/Real-ESRGAN/blob/master/docs/model_zoo.md"
_REALESRGAN_FILES = "https://github.com/xinntao/Real-ESRGAN/releases/download"
_KAIR_PAGE = "https://github.com/cszn/KAIR/releases/tag/v1.0"
_KAIR_FILES = "https://github.com/cszn/KAIR/releases/download/v1.0"
_MMAGIC_PAGE = "https://github.com/open-mmlab/mmagic/tree/main/configs"
_MMAGIC_FILES = "https://download.openmmlab.com/mmediting/restorers"
_NTIRE_PAGE = "https://github.com/Amazingren/NTIRE2024_ESR"
_NTIRE_FILES = (
    "https://raw.githubusercontent.com/Amazingren/NTIRE2024_ESR"
    "/6404fa48dde4a4adbf241a51debdc661aef20449/model_zoo"
)
_DFO = "DIV2K, Flickr2K, OST; Real-ESRGAN degradation"
_BSR = "DIV2K, Flickr2K, WED, FFHQ; BSRGAN degradation"
_WORLD = "real pictures; see the page"


def _real_esrgan(
    type: str,  # noqa: A002
    name: str,
    scale: int,
    path: str,
    digest: str,
    size: int | None,
    arguments: Mapping[str, Any],
    trained_on: str = _DFO,
    note: str = "",
) -> Pretrained:
    return Pretrained(
        type=type,
        name=name,
        scales=(scale,),
        page=_REALESRGAN_PAGE,
        licence="BSD-3-Clause",
        trained_on=trained_on,
        file=path.rpartition("/")[2],
        url=f"{_REALESRGAN_FILES}/{path}",
        arguments=arguments,
        sha256=digest,
        hash_from="others",
        size=size,
        note=note,
    )


RRDB: tuple[Pretrained, ...] = (
    _real_esrgan(
        "RRDBNet",
        "real-esrgan",
        4,
        "v0.1.0/RealESRGAN_x4plus.pth",
        "4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
        67040989,
        {},
    ),
    _real_esrgan(
        "RRDBNet",
        "real-esrgan",
        2,
        "v0.2.1/RealESRGAN_x2plus.pth",
        "49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
        67061725,
        {},
    ),
    _real_esrgan(
        "RRDBNet",
        "real-esrnet",
        4,
        "v0.1.1/RealESRNet_x4plus.pth",
        "a820b9bde89a874d7599d545567308ce6c128fc8754a53208eda016d40aa81df",
        67040989,
        {},
        note="Trained for PSNR: smoother.",
    ),
    _real_esrgan(
        "RRDBNet",
        "real-esrgan-anime",
        4,
        "v0.2.2.4/RealESRGAN_x4plus_anime_6B.pth",
        "f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da",
        17938799,
        {"num_blocks": 6},
        trained_on="drawings; Real-ESRGAN degradation",
    ),
    _real_esrgan(
        "RRDBNet",
        "esrgan",
        4,
        "v0.1.1/ESRGAN_SRx4_DF2KOST_official-ff704c30.pth",
        "ff704c30ff560305e48ed1f4db895e525ab6bc81a46fafe80c0094a271c806d9",
        None,
        {},
        trained_on="DIV2K, Flickr2K, OST; bicubic",
    ),
    Pretrained(
        type="RRDBNet",
        name="psnr",
        scales=(4,),
        page="https://github.com/XPixelGroup/BasicSR/blob/master/docs/ModelZoo.md",
        licence="Apache-2.0",
        trained_on="DIV2K, Flickr2K; bicubic",
        file="ESRGAN_PSNR_SRx4_DF2K_official-150ff491.pth",
        sha256="150ff491",
        hash_from="publisher",
        set5=(32.73,),
        note="On Google Drive.",
    ),
    *(
        Pretrained(
            type="RRDBNet",
            name=name,
            scales=(scale,),
            page=_KAIR_PAGE,
            licence=licence,
            trained_on=data,
            file=file,
            url=f"{_KAIR_FILES}/{file}",
            arguments={"unshuffle": 1} if scale == 2 else {},
            sha256=digest,
            hash_from="others" if digest else None,
        )
        for name, scale, file, data, licence, digest in (
            (
                "bsrgan",
                4,
                "BSRGAN.pth",
                _BSR,
                "MIT",
                "5d505a0766160921e0388d76e1ddf08cb114303990f9080432bf2b1c988b1c54",
            ),
            ("bsrgan", 2, "BSRGANx2.pth", _BSR, "MIT", None),
            ("bsrnet", 4, "BSRNet.pth", _BSR, "MIT", None),
            ("realsr-dped", 4, "RealSR_DPED.pth", _WORLD, "not stated", None),
            ("realsr-jpeg", 4, "RealSR_JPEG.pth", _WORLD, "not stated", None),
            ("fssr-dped", 4, "FSSR_DPED.pth", _WORLD, "not stated", None),
            ("fssr-jpeg", 4, "FSSR_JPEG.pth", _WORLD, "not stated", None),
        )
    ),
    *(
        Pretrained(
            type="RRDBNet",
            name=name,
            scales=(4,),
            page=f"{_MMAGIC_PAGE}/esrgan",
            licence="Apache-2.0",
            trained_on="DIV2K; bicubic",
            file=file,
            url=f"{_MMAGIC_FILES}/esrgan/{file}",
            sha256=hash_in_name(file),
            hash_from="publisher",
            set5=(psnr,),
            protocol=RGB_BORDER,
        )
        for name, file, psnr in (
            (
                "psnr-mmagic",
                "esrgan_psnr_x4c64b23g32_1x16_1000k_div2k_20200420-bf5c993c.pth",
                30.64,
            ),
            ("esrgan-mmagic", "esrgan_x4c64b23g32_1x16_400k_div2k_20200508-f8ccaf3b.pth", 28.27),
        )
    ),
)

COMPACT: tuple[Pretrained, ...] = (
    _real_esrgan(
        "SRVGGNetCompact",
        "general",
        4,
        "v0.2.5.0/realesr-general-x4v3.pth",
        "8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
        4885111,
        {"num_convs": 32},
        trained_on="Real-ESRGAN degradation",
    ),
    _real_esrgan(
        "SRVGGNetCompact",
        "general-wdn",
        4,
        "v0.2.5.0/realesr-general-wdn-x4v3.pth",
        "1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca",
        4885111,
        {"num_convs": 32},
        trained_on="Real-ESRGAN degradation",
        note="Takes less noise off than general.",
    ),
    _real_esrgan(
        "SRVGGNetCompact",
        "anime-video",
        4,
        "v0.2.5.0/realesr-animevideov3.pth",
        "b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d",
        2504012,
        {},
        trained_on="drawn films; Real-ESRGAN degradation",
    ),
)

SPAN: tuple[Pretrained, ...] = tuple(
    Pretrained(
        type="SPAN",
        name=name,
        scales=(4,),
        page=_NTIRE_PAGE,
        licence="MIT",
        trained_on="",
        file=file,
        url=f"{_NTIRE_FILES}/{file}",
        arguments={"num_features": features, "fused": True},
        sha256=digest,
        hash_from="file",
        size=size,
        set5=(psnr,),
        protocol=MEASURED,
        note="Entry of the NTIRE 2024 challenge on efficient super-resolution; bicubic.",
    )
    for name, features, file, size, psnr, digest in (
        (
            "ntire2024",
            28,
            "team38_span_ch28_slim.pth",
            618658,
            31.75,
            "6c80f05048313289c6526e5fc9726688d7bb3dfdd6ae3c8b1e7dd09f601e5971",
        ),
        (
            "ntire2024-tiny",
            26,
            "team39_spantiny_ch26_slim.pth",
            538017,
            31.74,
            "30bf224aee5d3fb9cbc7a3bf164a294f957f65c45f5b271052947097922040a5",
        ),
    )
)

ENTRIES: tuple[Pretrained, ...] = (*RRDB, *COMPACT, *SPAN)
