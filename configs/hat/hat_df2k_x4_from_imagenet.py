# HAT, second of two stages: 1e-5 on DIV2K and Flickr2K, beginning with all weights of
# hat_imagenet_x4.
_base_ = "hat_df2k_x4.py"
backbone = dict(start_from=dict(checkpoint="work_dirs/hat_imagenet_x4/backbone.safetensors"))
optim_wrapper = dict(optimizer=dict(lr=1e-5))
param_scheduler = dict(milestones=[125_000, 200_000, 225_000, 240_000])
train_cfg = dict(max_iters=250_000)
