# MemNet M6R6: one network for scales 2, 3 and 4, and every memory's image supervised with weight 1,
# as released (the paper's weights have the same ratios); patches of 36 (paper: 31); a tenth of the
# rate every 200K iterations. Batch as released (the paper may say 64). Validated at x4. The norm
# of the gradient is limited to 0.01 / rate, as in the release (the paper limits its elements:
# type="value").
_base_ = ["../_base_/settings/luma_291_joint.py", "../_base_/schedules/sgd_400k.py"]
scale = 4
batch_size = 32
backbone = dict(type="MemNet", blocks=6, units=6, width=64)
model = dict(
    loss=dict(
        type="WeightedLoss",
        terms=[dict(type="MSELoss", weight=36**2 / 2)],
        outputs={"sr": 1.0, "memory_*": 1.0},
    )
)
optim_wrapper = dict(clip_grad=dict(theta=0.01))
param_scheduler = dict(milestones=[200_000])
