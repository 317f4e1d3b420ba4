# ESPCN: patches of 17 LR pixels (34 at x2, 51 at x3, 68 at x4); the last layer at a tenth of the
# rate. The paper's rate falls from 0.01 to 1e-4 when improvement stalls, and training stops after
# 100 idle epochs; which optimiser that is for we do not know. Adam from 1e-3 down to 1e-4, and the
# length, are ours.
_base_ = [
    "../_base_/settings/benchmark_luma.py",
    "../_base_/datasets/imagenet50k.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 3
patch_size = 51
batch_size = 16
backbone = dict(type="ESPCN")
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(last_part=dict(lr_mult=0.1)))
)
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[200_000], gamma=0.1)
