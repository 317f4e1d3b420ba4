# The same network on LR that a degradation makes of the HR side of the same photos.
_base_ = "unpaired_pairs.py"
degradation = dict(type="Bicubic")
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="HRFolderDataset",
        folder=["RealSR-V3-crops/Canon/Train/4", "RealSR-V3-crops/Nikon/Train/4"],
        pattern="*_HR.png",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
    )
)
