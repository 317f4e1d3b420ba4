# The same for two CPU cores, with the images that come with realdeg.
_base_ = "sample_camera_scales.py"
patch_size = 96
batch_size = 4
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type="SampleDataset",
        mode="hr",
        _delete_=True,
        transforms=[
            dict(type="PairedCrop"),
            dict(type="Flip"),
            dict(
                type="Degrade", quantise=True, degradation=dict(type="SampleCamera", position=0.0)
            ),
            dict(type="PackSample"),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="SampleDataset",
        camera=dict(position=0.0),
        split="test",
        transforms=[dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
