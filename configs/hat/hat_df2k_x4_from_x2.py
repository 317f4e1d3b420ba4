# HAT as in the authors' options: x4 begins with what fits of x2's weights, at half the rate and for
# half as long.
_base_ = "hat_df2k_x4.py"
__x2 = "work_dirs/hat_df2k_x2/backbone.safetensors"
backbone = dict(start_from=dict(checkpoint=__x2, partial=True))
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = dict(milestones=[125_000, 200_000, 225_000, 240_000])
train_cfg = dict(max_iters=250_000)
