# SwinIR, lightweight: batches of 64 patches of 64 LR pixels of DIV2K.
_base_ = [
    "../_base_/settings/div2k.py",
    "../_base_/schedules/adam_500k_half_250k.py",
    "../_base_/ema_999.py",
]
scale = 2
patch_size = 128
batch_size = 64
backbone = dict(type="SwinIR", preset="lightweight")
