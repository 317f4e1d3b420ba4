# ESPCN: patches of 17 LR pixels (34 at x2, 51 at x3, 68 at x4); the last layer at a tenth of the
# rate. The paper's rate falls from 0.01 to 1e-4 when improvement stalls, and training stops after
# 100 idle epochs; which optimiser that is for we do not know. Adam from 1e-3 down to 1e-4, and the
# length, are ours.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/imagenet50k.py",
    "../_base_/backbones/espcn.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark_y.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 3
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=51),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(last_part=dict(lr_mult=0.1)))
)
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[200_000], gamma=0.1)
