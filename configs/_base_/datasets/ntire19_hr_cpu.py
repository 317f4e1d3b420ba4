# HR images to be degraded: T91 and the HR side of NTIRE 2019, as often one as the other.
_base_ = "ntire19_sr_cpu.py"
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
__hr = dict(type="HRFolderDataset", folder="NTIRE19-RealSR/train/HR", cache_mb=1024)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=[
            dict(type="HRFolderDataset", folder="T91", transforms=__patch),
            dict(__hr, transforms=__patch),
        ],
        ratios=[1, 1],
    )
)
