# HR images to be degraded: T91 and the HR side of NTIRE 2019, as often one as the other.
_base_ = "ntire19.py"
__patch = [
    dict(type="PairedCrop", patch_size=72),
    dict(type="Flip", horizontal=True, vertical=True, transpose=False),
    dict(type="PackSample"),
]
__hr = dict(
    type="HRFolderDataset", folder="NTIRE19-RealSR/train/HR", transforms=__patch, cache_mb=1024
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
