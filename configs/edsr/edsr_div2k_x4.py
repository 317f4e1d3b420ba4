# EDSR baseline. The paper begins x3 and x4 with the weights of x2, the tail apart.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/edsr.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 4
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[200_000], gamma=0.5)
