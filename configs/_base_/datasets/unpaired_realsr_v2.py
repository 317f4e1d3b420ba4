# RealSR V2 without its pairs: HR of one scene, LR of another. Validated on pairs.
_base_ = "realsr_v2.py"
__scenes = dict(
    type="RealSRDataset",
    version=2,
    split="train",
    transforms=[dict(type="PairedCrop", patch_size=192), dict(type="PackSample")],
)
train_dataloader = dict(
    collate_fn=dict(type="collate_unpaired"),
    dataset=dict(_delete_=True, type="UnpairedDataset", real="lr", datasets=[__scenes, __scenes]),
)
