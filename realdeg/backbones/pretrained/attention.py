"""Weights of other networks with attention: HAT, IPT, SAN, RNAN, CSNLN."""

from __future__ import annotations

from realdeg.backbones.pretrained.entry import Pretrained

_HAT_PAGE = "https://github.com/XPixelGroup/HAT"
_RNAN_FILES = (
    "yulunzhang/modelzoo/24b1bad791e493a99140dfe3723f7d47644918cd/RNAN/SR/experiment/model"
)
_BICUBIC, _DF2K = "DIV2K; bicubic", "DIV2K, Flickr2K; bicubic"
_CHOPPED = "Y, border of the scale; picture cut into overlapping quarters"

HAT: tuple[Pretrained, ...] = (
    *(
        Pretrained(
            type="HAT",
            name=name,
            scales=(scale,),
            page=_HAT_PAGE,
            licence="Apache-2.0",
            trained_on=data,
            file=file.format(scale),
            arguments={"preset": preset},
            set5=(psnr if scale == 4 else None,),
            note="On Google Drive and Baidu.",
        )
        for name, preset, file, data, psnr in (
            ("df2k", "hat", "HAT_SRx{}.pth", _DF2K, 33.04),
            ("small-df2k", "hat_s", "HAT-S_SRx{}.pth", _DF2K, 32.92),
            (
                "imagenet-df2k",
                "hat",
                "HAT_SRx{}_ImageNet-pretrain.pth",
                f"ImageNet, then {_DF2K}",
                None,
            ),
            (
                "large-imagenet-df2k",
                "hat_l",
                "HAT-L_SRx{}_ImageNet-pretrain.pth",
                f"ImageNet, then {_DF2K}",
                None,
            ),
        )
        for scale in (2, 3, 4)
    ),
    *(
        Pretrained(
            type="HAT",
            name=name,
            scales=(4,),
            page=_HAT_PAGE,
            licence="Apache-2.0",
            trained_on="Real-ESRGAN degradation",
            file=file,
            note=f"On Google Drive and Baidu; {what}.",
        )
        for name, file, what in (
            ("real-gan", "Real_HAT_GAN_SRx4.pth", "HR not sharpened: truer"),
            ("real-gan-sharper", "Real_HAT_GAN_SRx4_sharper.pth", "HR sharpened: crisper"),
        )
    ),
)

IPT: tuple[Pretrained, ...] = tuple(
    Pretrained(
        type="IPT",
        name="imagenet",
        scales=(scale,),
        page="https://github.com/huawei-noah/Pretrained-IPT",
        licence="Apache-2.0",
        trained_on="ImageNet; bicubic",
        file=f"IPT_sr{scale}.pt",
        set5=(psnr,),
        protocol="Y, border of the scale; tiles of 48 x 48",
        note="On Google Drive.",
    )
    for scale, psnr in ((2, 38.37), (3, 34.81), (4, 32.64))
)

RNAN: tuple[Pretrained, ...] = tuple(
    Pretrained(
        type="RNAN",
        name="div2k",
        scales=(scale,),
        page="https://github.com/yulunzhang/modelzoo/tree/master/RNAN",
        licence="not stated",
        trained_on=_BICUBIC,
        file=f"RNAN_SR_F64G10P48BIX{scale}.pt",
        url=f"https://raw.githubusercontent.com/{_RNAN_FILES}/RNAN_SR_F64G10P48BIX{scale}.pt",
        git_blob=blob,
        set5=(psnr,),
        protocol=_CHOPPED,
    )
    for scale, psnr, blob in (
        (2, 38.17, "bcbd786263f86e20a567f346f5eb10a697f219a0"),
        (3, 34.66, "73f062e37f4741950590a3dbfa7ed79308577b2d"),
        (4, 32.49, "76660d18ae0877510e380e132e21866c45b59804"),
    )
)

SAN: tuple[Pretrained, ...] = tuple(
    Pretrained(
        type="SAN",
        name="div2k",
        scales=(scale,),
        page="https://github.com/daitao/SAN",
        licence="not stated",
        trained_on=_BICUBIC,
        file=f"SAN_BIX{scale}.pt",
        set5=(psnr,),
        protocol=_CHOPPED,
        note="On Baidu.",
    )
    for scale, psnr in ((2, 38.31), (3, 34.75), (4, 32.64), (8, None))
)

CSNLN: tuple[Pretrained, ...] = tuple(
    Pretrained(
        type="CSNLN",
        name="div2k",
        scales=(scale,),
        page="https://github.com/SHI-Labs/Cross-Scale-Non-Local-Attention",
        licence="not stated",
        trained_on=_BICUBIC,
        file=f"model_x{scale}.pt",
        set5=(psnr,),
        protocol=_CHOPPED,
        note="On Google Drive.",
    )
    for scale, psnr in ((2, 38.28), (3, 34.74), (4, 32.68))
)

ENTRIES: tuple[Pretrained, ...] = (*HAT, *IPT, *RNAN, *SAN, *CSNLN)
