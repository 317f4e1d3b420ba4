# Progressive CARN, stages 1 (x2) and 2 (x4) of 3: CARN's schedule, begun anew at each stage. Patch,
# batch and schedule of the paper are not known to us. Begin stage 2 from the weights of stage 1:
# docs/configs.md, "Growing networks".
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_600k_half_400k.py"]
scale = 4
per_scale = {2: dict(patch_size=128), 4: {}}
patch_size = 256
batch_size = 64
backbone = dict(type="ProgressiveCARN")
optim_wrapper = dict(clip_grad=dict(max_norm=10))
