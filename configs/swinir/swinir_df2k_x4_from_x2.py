# SwinIR as in the paper: x4 begins with the weights of x2, the upsampler apart, at half the rate
# and for half as long.
_base_ = "swinir_df2k_x4.py"
__x2 = "work_dirs/swinir_df2k_x2/backbone.safetensors"
backbone = dict(start_from=dict(checkpoint=__x2, ignore=("upsample.",)))
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = dict(milestones=[125_000, 200_000, 225_000, 237_500])
train_cfg = dict(max_iters=250_000)
