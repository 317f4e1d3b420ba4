# Progressive CARN, stage 3 of 3, by progressive_carn_div2k.py's settings. Begin from the weights of
# stage 2: docs/configs.md, "Growing networks".
_base_ = ["../_base_/settings/div2k_any_scale.py", "../_base_/schedules/adam_600k_half_400k.py"]
scale = 8
patch_size = 384
batch_size = 64
backbone = dict(type="ProgressiveCARN")
optim_wrapper = dict(clip_grad=dict(max_norm=10))
