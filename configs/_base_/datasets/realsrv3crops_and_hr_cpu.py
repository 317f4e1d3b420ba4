# Real pairs of the RealSR V3 crops and HR images to be degraded, half and half.
_base_ = "realsrv3crops_sr_cpu.py"
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
__crops = "RealSR-V3-crops"
__hr = [f"{__crops}/Canon/Train/4", f"{__crops}/Nikon/Train/4"]
__real = dict(type="RealSRDataset", version=3, split="train", folder=__crops, transforms=__patch)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=[
            __real,
            dict(type="HRFolderDataset", folder="T91", transforms=__patch),
            dict(type="HRFolderDataset", folder=__hr, pattern="*_HR.png", transforms=__patch),
        ],
        ratios=[2, 1, 1],
    )
)
