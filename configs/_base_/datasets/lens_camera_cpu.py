# The camera with a lens and the images that come with realdeg, whose LR is made once.
patch_size = 64
batch_size = 8
flip = dict(horizontal=True, vertical=True, transpose=False)
__photos = dict(
    type="SampleDataset",
    camera=dict(content=0.25, position=0.0, radial=1.0, lateral=1.5),
)
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        __photos,
        split="train",
        transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
    ),
)
val_dataloader = dict(
    num_workers=1, dataset=dict(__photos, split="test", transforms=[dict(type="PackSample")])
)
test_dataloader = val_dataloader
