# RealSR V2: LR lies on the HR grid. DML paper: patches of 192, flips left-right and up-down.
same_size = True
patch_size = 192
flip = dict(horizontal=True, vertical=True, transpose=False)
batch_size = 16
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        type="RealSRDataset",
        version=2,
        split="train",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    dataset=dict(
        type="RealSRDataset", version=2, split="test", transforms=[dict(type="PackSample")]
    ),
)
test_dataloader = val_dataloader
