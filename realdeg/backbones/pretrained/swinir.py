"""Weights of SwinIR."""

from __future__ import annotations

from typing import Any

from realdeg.backbones.pretrained.entry import Pretrained

_SWINIR_PAGE = "https://github.com/JingyunLiang/SwinIR/releases"
_SWINIR_FILES = "https://github.com/JingyunLiang/SwinIR/releases/download/v0.0"
_DIV2K, _DF2K = "DIV2K; bicubic", "DIV2K, Flickr2K; bicubic"
_REAL_M = "DIV2K, Flickr2K, OST; BSRGAN degradation"
_REAL_L = "DIV2K, Flickr2K, OST, WED, FFHQ, Manga109, SCUT-CTW1500; BSRGAN degradation"

# Length and SHA-256 of the files for which two or more projects publish the same digits.
_SWINIR_HASHES: dict[str, tuple[int, str]] = {
    "001_classicalSR_DF2K_s64w8_SwinIR-M_x4.pth": (
        67869037,
        "4e78e33f22c1aa8a773db0cf4a7381bae97c2362c717f155439ebc690cbd9215",
    ),
    "003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_GAN.pth": (
        67129861,
        "b9afb61e65e04eb7f8aba5095d070bbe9af28df76acd0c9405aeb33b814bcfc6",
    ),
    "003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_GAN.pth": (
        142473939,
        "99adfa91350a84c99e946c1eb3d8fce34bc28f57d807b09dc8fe40a316328c0a",
    ),
    "003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_PSNR.pth": (
        142473947,
        "450be6eac63a59959b55a83df6743444de9f018547f81d16f699b3680d366ad7",
    ),
}


def _swinir(
    name: str, scale: int, file: str, trained_on: str, psnr: float | None, **more: Any
) -> Pretrained:
    size, digest = _SWINIR_HASHES.get(file, (None, None))
    return Pretrained(
        type="SwinIR",
        name=name,
        scales=(scale,),
        page=_SWINIR_PAGE,
        licence="Apache-2.0",
        trained_on=trained_on,
        file=file,
        url=f"{_SWINIR_FILES}/{file}",
        sha256=digest,
        hash_from="others" if digest else None,
        size=size,
        set5=(psnr,),
        **more,
    )


ENTRIES: tuple[Pretrained, ...] = (
    *(
        _swinir(
            "classical-div2k",
            scale,
            f"001_classicalSR_DIV2K_s48w8_SwinIR-M_x{scale}.pth",
            _DIV2K,
            psnr,
        )
        for scale, psnr in ((2, 38.35), (3, 34.89), (4, 32.72), (8, None))
    ),
    *(
        _swinir(
            "classical-df2k",
            scale,
            f"001_classicalSR_DF2K_s64w8_SwinIR-M_x{scale}.pth",
            _DF2K,
            psnr,
        )
        for scale, psnr in ((2, 38.42), (3, 34.97), (4, 32.92), (8, None))
    ),
    *(
        _swinir(
            "lightweight-div2k",
            scale,
            f"002_lightweightSR_DIV2K_s64w8_SwinIR-S_x{scale}.pth",
            _DIV2K,
            psnr,
            arguments={"preset": "lightweight"},
        )
        for scale, psnr in ((2, 38.14), (3, 34.62), (4, 32.44))
    ),
    *(
        _swinir(
            f"real-m-{kind.lower()}",
            scale,
            f"003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x{scale}_{kind}.pth",
            _REAL_M,
            None,
            arguments={"preset": "real_m"},
        )
        for kind in ("GAN", "PSNR")
        for scale in (2, 4)
    ),
    *(
        _swinir(
            f"real-l-{kind.lower()}",
            4,
            f"003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_{kind}.pth",
            _REAL_L,
            None,
            arguments={"preset": "real_l"},
        )
        for kind in ("GAN", "PSNR")
    ),
)
