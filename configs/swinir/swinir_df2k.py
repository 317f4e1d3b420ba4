# SwinIR, classical: batches of 32 patches of 64 LR pixels of DIV2K and Flickr2K. The authors report
# the same of x4 from the beginning as of swinir_df2k_x4_from_x2, which takes half the time.
_base_ = [
    "../_base_/settings/df2k.py",
    "../_base_/schedules/adam_500k_half_250k.py",
    "../_base_/ema_999.py",
]
scale = 4
per_scale = {2: dict(patch_size=128), 4: {}}
patch_size = 256
batch_size = 32
backbone = dict(type="SwinIR")
