"""Weights of cascading, multi-scale, back-projection and denoising networks."""

from __future__ import annotations

from realdeg.backbones.pretrained.entry import MEASURED, Pretrained, in_git

_CARN = "nmhkahn/CARN-pytorch/40d3514f81cccd680d846cd5ab07af35f2c8e0e2/checkpoint"
_PCARN = "nmhkahn/PCARN-pytorch/dde2b7c6f1f26370222468677f992a77095bf62f/checkpoints"
_MSRN = "MIVRC/MSRN-PyTorch/a0e038de7eb42e21d2e88c38e6490b61a02c566e/MSRN/Test/model"
_KAIR = "https://github.com/cszn/KAIR/releases/download/v1.0"

CARN: tuple[Pretrained, ...] = (
    *(
        in_git(
            type_,
            "official",
            (2, 3, 4),
            _CARN,
            file,
            licence="MIT",
            trained_on="DIV2K; bicubic",
            set5=psnr,
            **checks,
        )
        for type_, file, psnr, checks in (
            (
                "CARN",
                "carn.pth",
                (37.76, 34.29, 32.13),
                {"git_blob": "2b9fb1eb75a2fdd47c1a4cc75bc505a8fa4fb504"},
            ),
            (
                "CARNM",
                "carn_m.pth",
                (37.53, 33.99, 31.92),
                {
                    "sha256": "d48a759a84509351facb6b7c6d5bd6edec98b98519b8c464ee4ab44d2ba964ff",
                    "size": 1670695,
                },
            ),
        )
    ),
    *(
        in_git(
            "PCARN",
            name,
            (2, 3, 4),
            _PCARN,
            file,
            licence="MIT",
            trained_on="DIV2K; bicubic",
            arguments={"mobile": True} if "mobile" in name else {},
            **checks,
        )
        for name, file, checks in (
            ("l1", "PCARN-L1.pth", {"git_blob": "33a1d7ef45deda1a32dc0d1d7c822ee783e721fe"}),
            ("gan", "PCARN.pth", {"git_blob": "1fd2f806def0cd04fb4491457a88e4a0f3be0306"}),
            (
                "mobile-l1",
                "PCARN-M-L1.pth",
                {
                    "sha256": "50a018566eb28fbf966e0e4d43b513fa90b7242932afd9dddbc0be69d9df6ec9",
                    "size": 1674475,
                    "set5": (37.70, 34.08, 31.90),
                    "protocol": MEASURED,
                },
            ),
            (
                "mobile-gan",
                "PCARN-M.pth",
                {
                    "sha256": "a7e328d6c87991ec81540d6b0b15723714443d0c276bec0e864aae441ef16a24",
                    "size": 1674479,
                    "set5": (None, None, 29.47),
                    "protocol": MEASURED,
                },
            ),
        )
    ),
)

MSRN: tuple[Pretrained, ...] = tuple(
    in_git(
        "MSRN",
        "official",
        (scale,),
        _MSRN,
        f"MSRN_x{scale}.pt",
        licence="MIT",
        trained_on="DIV2K; bicubic",
        git_blob=blob,
        set5=(psnr,),
    )
    for scale, psnr, blob in (
        (2, 38.07, "3f8567d12441e9c325d9dc476f5751ac22f34cae"),
        (3, 34.48, "67f33904a6363c4222bd489b537da15abc7f8664"),
        (4, 32.25, "b33bab1e672cdbd3d6d96feda47f3e52bae44df6"),
        (8, 26.95, "f78d601b1b056e72e2ec53d5d1784476db014dd5"),
    )
)

# A set of 25 denoisers, one for each noise level: sigma chooses.
IRCNN: tuple[Pretrained, ...] = tuple(
    Pretrained(
        type=type_,
        name=name,
        scales=(1, 2, 3, 4),
        page="https://github.com/cszn/KAIR/releases/tag/v1.0",
        licence="MIT",
        trained_on="",
        file=file,
        url=f"{_KAIR}/{file}",
        arguments={"colour": colour},
        note="Denoisers for 25 noise levels.",
    )
    for type_ in ("IRCNN", "IRCNNHQS")
    for name, file, colour in (
        ("grey", "ircnn_gray.pth", "y"),
        ("colour", "ircnn_color.pth", "rgb"),
    )
)

BY_HAND: tuple[Pretrained, ...] = (
    *(
        Pretrained(
            type="DBPN",
            name=name,
            scales=(scale,),
            page="https://github.com/alterzero/DBPN-Pytorch",
            licence="MIT",
            trained_on="",
            file=f"{stem}_x{scale}.pth",
            arguments={"preset": preset},
            set5=(psnr,),
            note="On Google Drive.",
        )
        for name, preset, stem, scale, psnr in (
            ("official", "dbpn", "DBPN", 2, 38.09),
            ("official", "dbpn", "DBPN", 4, 32.47),
            ("official", "dbpn", "DBPN", 8, None),
            ("official-ll", "dbpnll", "DBPNLL", 8, None),
        )
    ),
    *(
        Pretrained(
            type="SRFBN",
            name="official",
            scales=(scale,),
            page="https://github.com/Paper99/SRFBN_CVPR19",
            licence="MIT",
            trained_on="DIV2K, Flickr2K; bicubic",
            file=f"SRFBN_x{scale}_BI.pth",
            set5=(psnr,),
            note="On Google Drive and Baidu.",
        )
        for scale, psnr in ((2, 38.11), (3, 34.70), (4, 32.47))
    ),
    *(
        Pretrained(
            type="ProSR",
            name=name,
            scales=(scale,),
            page="https://github.com/fperazzi/proSR",
            licence="GPL-3.0",
            trained_on="DIV2K, Flickr2K; bicubic",
            file=f"{stem}_x{scale}.pth",
            arguments={"preset": preset},
            note=f"In {stem}.zip on Dropbox.",
        )
        for name, preset, stem in (("df2k", "prosr", "proSR"), ("small-df2k", "prosrs", "proSRs"))
        for scale in (2, 4, 8)
    ),
)

ENTRIES: tuple[Pretrained, ...] = (*CARN, *MSRN, *IRCNN, *BY_HAND)
