# The RealSR V3 crops without their pairs: HR of one scene, LR of another. Validated on pairs.
_base_ = "realsr_v3_crops.py"
patch_size = 128
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
__scenes = dict(
    type="RealSRDataset", version=3, split="train", folder="RealSR-V3-crops", transforms=__patch
)
train_dataloader = dict(
    num_workers=1,
    dataset=dict(_delete_=True, type="UnpairedDataset", real="lr", datasets=[__scenes, __scenes]),
)
