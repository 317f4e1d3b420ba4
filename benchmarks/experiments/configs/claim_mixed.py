# Real pairs and the HR photos of claim_synthetic.py, half and half.
_base_ = "claim_real.py"
degradation = dict(type="Bicubic")
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
__crops = "RealSR-V3-crops"
__hr = [f"{__crops}/{camera}/Train/4" for camera in ("Canon", "Nikon")]
__bsds = ["BSDS500/train", "BSDS500/test"]
__real = dict(type="RealSRDataset", version=3, split="train", folder=__crops, transforms=__patch)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=[
            dict(type="HRFolderDataset", folder=__hr, pattern="*_HR.png", transforms=__patch),
            dict(type="HRFolderDataset", folder=__bsds, transforms=__patch),
            dict(type="HRFolderDataset", folder="Kodak24", transforms=__patch),
            __real,
        ],
        ratios=[3, 2, 1, 6],
    )
)
