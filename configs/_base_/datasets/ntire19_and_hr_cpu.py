# Real pairs of NTIRE 2019 and HR images to be degraded, half and half.
_base_ = "ntire19_sr_cpu.py"
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
__hr = dict(type="HRFolderDataset", folder="NTIRE19-RealSR/train/HR", cache_mb=1024)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=[
            dict(type="NTIRE19Dataset", split="train", transforms=__patch, cache_mb=1024),
            dict(type="HRFolderDataset", folder="T91", transforms=__patch),
            dict(__hr, transforms=__patch),
        ],
        ratios=[2, 1, 1],
    )
)
