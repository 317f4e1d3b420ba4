# ProSR at x8, by prosr_div2k.py's settings.
_base_ = ["../_base_/settings/div2k_any_scale.py", "../_base_/schedules/adam_300k.py"]
scale = 8
backbone = dict(type="ProSR")
param_scheduler = dict(
    type="MultiStepLR", by_epoch=False, milestones=[100_000, 150_000, 200_000], gamma=0.5
)
