# HAT: batches of 32 patches of 64 LR pixels of DIV2K and Flickr2K, each scale from the beginning;
# at x4 the authors train hat_df2k_x4_from_x2.
_base_ = [
    "../_base_/settings/df2k.py",
    "../_base_/schedules/adam_500k_half_250k.py",
    "../_base_/ema_999.py",
]
scale = 4
per_scale = {2: dict(patch_size=128), 3: dict(patch_size=192), 4: {}}
patch_size = 256
batch_size = 32
backbone = dict(type="HAT")
optim_wrapper = dict(optimizer=dict(betas=(0.9, 0.99)))
