# ProSR at one scale: patches of 48, 36 and 24 LR pixels at x2, x4 and x8. The paper's curriculum
# (x2 first, x4 and x8 blended in, one scale drawn for each batch) is prosr_div2k_multiscale_x8;
# stages can also be run one by one: docs/configs.md, "Growing networks". The rate is halved when 30
# epochs bring nothing, down to 1e-5: fixed steps stand in for that. LR is made by PIL's bicubic
# filter there and by MATLAB's here.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k_any_scale.py",
    "../_base_/backbones/prosr.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 8
param_scheduler = dict(
    type="MultiStepLR", by_epoch=False, milestones=[100_000, 150_000, 200_000], gamma=0.5
)
