# HR photos to be degraded: the HR side of the training pairs, BSDS500 and Kodak24.
_base_ = "claim_real.py"
degradation = dict(type="Bicubic")
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
__hr = [f"RealSR-V3-crops/{camera}/Train/4" for camera in ("Canon", "Nikon")]
__bsds = ["BSDS500/train", "BSDS500/test"]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=[
            dict(type="HRFolderDataset", folder=__hr, pattern="*_HR.png", transforms=__patch),
            dict(type="HRFolderDataset", folder=__bsds, transforms=__patch),
            dict(type="HRFolderDataset", folder="Kodak24", transforms=__patch),
        ],
        ratios=[3, 2, 1],
    )
)
