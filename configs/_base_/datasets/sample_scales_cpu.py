# The built-in images, seen by the simulated camera at x2 and x4 on one grid. The camera treats rows
# and columns differently, so nothing is transposed.
same_size = True
patch_size = 64
batch_size = 8
flip = dict(horizontal=True, vertical=True, transpose=False)
__scenes = dict(
    type="SampleDataset",
    split="train",
    transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
)
train_dataloader = dict(
    num_workers=1, dataset=dict(type="ScaleSetDataset", scales=[2, 4], dataset=__scenes)
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    dataset=dict(type="SampleDataset", split="test", transforms=[dict(type="PackSample")]),
)
test_dataloader = val_dataloader
