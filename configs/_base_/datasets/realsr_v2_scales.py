# RealSR V2 at x2 and x4, one HR for both: InterFlow's selection ("RealSR_v2_ordered"), Canon alone.
# DegFlow is trained on patches of 256 in all eight turned and flipped forms.
same_size = True
patch_size = 256
flip = dict(horizontal=True, vertical=True, transpose=True)
__scenes = dict(
    type="RealSRDataset",
    version=2,
    split="train",
    cameras=["Canon"],
    folder="RealSR_v2_ordered",
    transforms=[dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")],
)
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(type="ScaleSetDataset", scales=[2, 4], dataset=__scenes),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    dataset=dict(
        type="RealSRDataset",
        version=2,
        split="test",
        cameras=["Canon"],
        folder="RealSR_v2_ordered",
        transforms=[dict(type="PackSample")],
    ),
)
test_dataloader = val_dataloader
