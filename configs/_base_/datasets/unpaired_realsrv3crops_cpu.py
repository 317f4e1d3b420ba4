# The RealSR V3 crops without their pairs: HR of one scene, LR of another. Validated on pairs.
_base_ = "realsr_v3_crops.py"
__scenes = dict(
    type="RealSRDataset",
    version=3,
    split="train",
    folder="RealSR-V3-crops",
    transforms=[
        dict(type="PairedCrop", patch_size=128),
        dict(type="Flip", horizontal=True, vertical=True, transpose=False),
        dict(type="PackSample"),
    ],
)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    collate_fn=dict(type="collate_unpaired"),
    dataset=dict(_delete_=True, type="UnpairedDataset", real="lr", datasets=[__scenes, __scenes]),
)
