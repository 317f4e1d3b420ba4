# HR images to be degraded: T91 and the HR side of the RealSR V3 crops, as often one as the other.
_base_ = "realsrv3crops_sr_cpu.py"
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
__hr = ["RealSR-V3-crops/Canon/Train/4", "RealSR-V3-crops/Nikon/Train/4"]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=[
            dict(type="HRFolderDataset", folder="T91", transforms=__patch),
            dict(type="HRFolderDataset", folder=__hr, pattern="*_HR.png", transforms=__patch),
        ],
        ratios=[1, 1],
    )
)
