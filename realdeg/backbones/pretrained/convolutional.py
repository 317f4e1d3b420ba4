"""Weights of residual and dense networks that were trained for PSNR."""

from __future__ import annotations

from realdeg.backbones.pretrained.entry import RGB_BORDER, Pretrained, hash_in_name

_EDSR_PAGE = "https://github.com/sanghyun-son/EDSR-PyTorch"
_EDSR_FILES = "https://cv.snu.ac.kr/research/EDSR/models"
_BASICSR_PAGE = "https://github.com/XPixelGroup/BasicSR/blob/master/docs/ModelZoo.md"
_MMAGIC_PAGE = "https://github.com/open-mmlab/mmagic/tree/main/configs"
_MMAGIC_FILES = "https://download.openmmlab.com/mmediting/restorers"
_BICUBIC = "DIV2K; bicubic"

EDSR: tuple[Pretrained, ...] = (
    *(
        Pretrained(
            type="EDSR",
            name=f"{preset}-div2k",
            scales=(scale,),
            page=_EDSR_PAGE,
            licence="MIT",
            trained_on=_BICUBIC,
            file=file,
            url=f"{_EDSR_FILES}/{file}",
            arguments={"preset": preset},
            sha256=hash_in_name(file),
            hash_from="publisher",
            set5=(psnr,),
        )
        for preset, scale, file, psnr in (
            ("baseline", 2, "edsr_baseline_x2-1bc95232.pt", 37.99),
            ("baseline", 3, "edsr_baseline_x3-abf2a44e.pt", 34.37),
            ("baseline", 4, "edsr_baseline_x4-6b446fab.pt", 32.09),
            ("full", 2, "edsr_x2-0edfb8a3.pt", 38.11),
            ("full", 3, "edsr_x3-ea3ef2c6.pt", 34.65),
            ("full", 4, "edsr_x4-4f62e9ef.pt", 32.46),
        )
    ),
    *(
        Pretrained(
            type="EDSR",
            name=f"{preset}-basicsr",
            scales=(scale,),
            page=_BASICSR_PAGE,
            licence="Apache-2.0",
            trained_on=_BICUBIC,
            file=file,
            arguments={"preset": preset},
            sha256=hash_in_name(file),
            hash_from="publisher",
            set5=(psnr,),
            protocol=RGB_BORDER,
            note="On Google Drive; the same weights under BasicSR's names.",
        )
        for preset, scale, file, psnr in (
            ("baseline", 2, "EDSR_Mx2_f64b16_DIV2K_official-3ba7b086.pth", 35.78),
            ("baseline", 3, "EDSR_Mx3_f64b16_DIV2K_official-6908f88a.pth", 32.36),
            ("baseline", 4, "EDSR_Mx4_f64b16_DIV2K_official-0c287733.pth", 30.18),
            ("full", 2, "EDSR_Lx2_f256b32_DIV2K_official-be38e77d.pth", 36.00),
            ("full", 3, "EDSR_Lx3_f256b32_DIV2K_official-3660f70d.pth", 32.64),
            ("full", 4, "EDSR_Lx4_f256b32_DIV2K_official-76ee1c8f.pth", 30.55),
        )
    ),
    *(
        Pretrained(
            type="EDSR",
            name="baseline-mmagic",
            scales=(scale,),
            page=f"{_MMAGIC_PAGE}/edsr",
            licence="Apache-2.0",
            trained_on=_BICUBIC,
            file=file,
            url=f"{_MMAGIC_FILES}/edsr/{file}",
            arguments={"mean_shift": True, "value_range": 1.0},
            sha256=hash_in_name(file),
            hash_from="publisher",
            set5=(psnr,),
            protocol=RGB_BORDER,
        )
        for scale, file, psnr in (
            (2, "edsr_x2c64b16_1x16_300k_div2k_20200604-19fe95ea.pth", 35.76),
            (3, "edsr_x3c64b16_1x16_300k_div2k_20200608-36d896f4.pth", 32.33),
            (4, "edsr_x4c64b16_1x16_300k_div2k_20200608-3c2af8a3.pth", 30.22),
        )
    ),
)

# EDSR-PyTorch's present version names these files no longer; its former ones do.
MDSR: tuple[Pretrained, ...] = tuple(
    Pretrained(
        type="MDSR",
        name=f"{preset}-div2k",
        scales=(2, 3, 4),
        page=_EDSR_PAGE,
        licence="MIT",
        trained_on=_BICUBIC,
        file=file,
        url=f"{_EDSR_FILES}/{file}",
        arguments={"preset": preset},
        sha256=hash_in_name(file),
        hash_from="publisher",
        set5=psnr,
    )
    for preset, file, psnr in (
        ("baseline", "mdsr_baseline-a00cab12.pt", (None, None, None)),
        ("full", "mdsr-4a78bedf.pt", (38.11, 34.66, 32.50)),
    )
)

RDN: tuple[Pretrained, ...] = (
    *(
        Pretrained(
            type="RDN",
            name="mmagic",
            scales=(scale,),
            page=f"{_MMAGIC_PAGE}/rdn",
            licence="Apache-2.0",
            trained_on=_BICUBIC,
            file=file,
            url=f"{_MMAGIC_FILES}/rdn/{file}",
            sha256=hash_in_name(file),
            hash_from="publisher",
            set5=(psnr,),
            protocol=RGB_BORDER,
        )
        for scale, file, psnr in (
            (2, "rdn_x2c64b16_g1_1000k_div2k_20210419-dc146009.pth", 35.99),
            (3, "rdn_x3c64b16_g1_1000k_div2k_20210419-b93cb6aa.pth", 32.61),
            (4, "rdn_x4c64b16_g1_1000k_div2k_20210419-3577d44f.pth", 30.49),
        )
    ),
    *(
        Pretrained(
            type="RDN",
            name="yjn870",
            scales=(scale,),
            page="https://github.com/yjn870/RDN-pytorch",
            licence="not stated",
            trained_on=_BICUBIC,
            file=f"rdn_x{scale}.pth",
            url=f"https://www.dropbox.com/s/{key}/rdn_x{scale}.pth?dl=1",
            set5=(psnr,),
        )
        for scale, key, psnr in (
            (2, "pd52pkmaik1ri0h", 38.18),
            (3, "56topxdwm6rakwd", 34.73),
            (4, "yphiyivb1v7jya2", 32.40),
        )
    ),
)

RCAN: tuple[Pretrained, ...] = tuple(
    Pretrained(
        type="RCAN",
        name=name,
        scales=(scale,),
        page="https://github.com/yulunzhang/RCAN",
        licence="not stated",
        trained_on=data,
        file=file,
        set5=(psnr,),
        protocol="Y, border of the scale; picture cut into overlapping quarters",
        note="In models_ECCV2018RCAN.zip on Dropbox, Google Drive and Baidu.",
    )
    for name, scale, file, psnr, data in (
        ("div2k", 2, "RCAN_BIX2.pt", 38.27, _BICUBIC),
        ("div2k", 3, "RCAN_BIX3.pt", 34.74, _BICUBIC),
        ("div2k", 4, "RCAN_BIX4.pt", 32.63, _BICUBIC),
        ("div2k", 8, "RCAN_BIX8.pt", None, _BICUBIC),
        (
            "div2k-bd",
            3,
            "RCAN_BDX3.pt",
            None,
            "DIV2K; Gaussian blur (sigma 1.6), every third pixel",
        ),
    )
)

RESNET: tuple[Pretrained, ...] = (
    *(
        Pretrained(
            type="MSRResNet",
            name=name,
            scales=(4,),
            page=f"{_MMAGIC_PAGE}/srgan_resnet",
            licence="Apache-2.0",
            trained_on=_BICUBIC,
            file=file,
            url=f"{_MMAGIC_FILES}/srresnet_srgan/{file}",
            arguments={"leaky_steps": False},
            sha256=hash_in_name(file),
            hash_from="publisher",
            set5=(psnr,),
            protocol=RGB_BORDER,
        )
        for name, file, psnr in (
            ("mmagic", "msrresnet_x4c64b16_1x16_300k_div2k_20200521-61556be5.pth", 30.23),
            ("gan-mmagic", "srgan_x4c64b16_1x16_1000k_div2k_20200606-a1f0810e.pth", 27.95),
        )
    ),
    *(
        Pretrained(
            type="MSRResNet",
            name="basicsr",
            scales=(scale,),
            page=_BASICSR_PAGE,
            licence="Apache-2.0",
            trained_on=_BICUBIC,
            file=file,
            set5=(psnr,),
            protocol=RGB_BORDER,
            note="On Google Drive, net_g_1000000.pth of that experiment: save it under this name.",
        )
        for scale, file, psnr in (
            (2, "002_MSRResNet_x2_f64b16_DIV2K_1000k_B16G1_001pretrain_wandb.pth", 35.75),
            (3, "003_MSRResNet_x3_f64b16_DIV2K_1000k_B16G1_001pretrain_wandb.pth", 32.40),
            (4, "001_MSRResNet_x4_f64b16_DIV2K_1000k_B16G1_wandb.pth", 30.25),
        )
    ),
    *(
        Pretrained(
            type="SRResNet",
            name=name,
            scales=(scale,),
            page="https://github.com/Lornatang/SRGAN-PyTorch",
            licence="Apache-2.0",
            trained_on="ImageNet; bicubic",
            file=f"{kind}_x{scale}-ImageNet.pth.tar",
            url="https://huggingface.co/ChangyuLiu/SRGAN-PyTorch/resolve/main/"
            f"{kind}_x{scale}-ImageNet.pth.tar",
            set5=(psnr if scale == 4 else None,),
        )
        for name, kind, psnr in (
            ("imagenet", "SRResNet", 32.16),
            ("srgan-imagenet", "SRGAN", 30.67),
        )
        for scale in (2, 4, 8)
    ),
)

ENTRIES: tuple[Pretrained, ...] = (*EDSR, *MDSR, *RDN, *RCAN, *RESNET)
