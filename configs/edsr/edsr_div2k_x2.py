# EDSR baseline: patches of 48 LR pixels, 1e-4 halved after 200K of 300K iterations.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/edsr.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 2
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[200_000], gamma=0.5)
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=96),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    )
)
