# Real pairs, half of the patches, and HR photos to be degraded: BSDS500 and those of the pairs.
_base_ = "same_real_ntire19.py"
degradation = dict(type="Bicubic")
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
__hr = dict(
    type="HRFolderDataset", folder="NTIRE19-RealSR/train/HR", cache_mb=1024, transforms=__patch
)
__bsds = ["BSDS500/train", "BSDS500/test"]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=[
            dict(type="NTIRE19Dataset", split="train", cache_mb=1024, transforms=__patch),
            dict(type="HRFolderDataset", folder=__bsds, transforms=__patch),
            __hr,
        ],
        ratios=[2, 1, 1],
    )
)
