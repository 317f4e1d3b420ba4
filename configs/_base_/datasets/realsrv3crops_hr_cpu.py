# HR images to be degraded: T91 and the HR side of the RealSR V3 crops, as often one as the other.
_base_ = "realsr_v3_crops.py"
__patch = [
    dict(type="PairedCrop", patch_size=72),
    dict(type="Flip", horizontal=True, vertical=True, transpose=False),
    dict(type="PackSample"),
]
__hr = dict(
    type="HRFolderDataset",
    folder=["RealSR-V3-crops/Canon/Train/4", "RealSR-V3-crops/Nikon/Train/4"],
    pattern="*_HR.png",
    transforms=__patch,
)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=[dict(type="HRFolderDataset", folder="T91", transforms=__patch), __hr],
        ratios=[1, 1],
    ),
)
