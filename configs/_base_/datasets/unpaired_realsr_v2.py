# RealSR V2 without its pairs: HR of one scene, LR of another. Validated on pairs.
_base_ = "realsr_v2.py"
__patch = [dict(type="PairedCrop"), dict(type="PackSample")]
__scenes = dict(type="RealSRDataset", version=2, split="train", transforms=__patch)
train_dataloader = dict(
    dataset=dict(_delete_=True, type="UnpairedDataset", real="lr", datasets=[__scenes, __scenes])
)
