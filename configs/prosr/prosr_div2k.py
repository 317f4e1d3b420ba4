# ProSR at one scale: patches of 48, 36 and 24 LR pixels at x2, x4 and x8. The paper's curriculum
# (x2 first, x4 and x8 blended in, one scale drawn for each batch) is prosr_div2k_multiscale_x8;
# stages can also be run one by one: docs/configs.md, "Growing networks". The rate is halved when 30
# epochs bring nothing, down to 1e-5: fixed steps stand in for that. LR is made by PIL's bicubic
# filter there and by MATLAB's here.
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_300k.py"]
scale = 4
per_scale = {2: dict(patch_size=96), 4: {}}
patch_size = 144
backbone = dict(type="ProSR")
param_scheduler = dict(
    type="MultiStepLR", by_epoch=False, milestones=[100_000, 150_000, 200_000], gamma=0.5
)
