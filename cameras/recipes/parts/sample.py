# SampleCamera before the images that come with the package: its true kernels are known.
_base_ = "dml.py"
same_size = False
patch_size = 96
batch_size = 8
flip = dict(horizontal=True, vertical=True, transpose=False)
train_dataloader = dict(
    num_workers=0,
    dataset=dict(
        type="SampleDataset",
        split="train",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
        cache_mb=128,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    dataset=dict(
        type="SampleDataset",
        split="test",
        transforms=[dict(type="ModCrop"), dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
