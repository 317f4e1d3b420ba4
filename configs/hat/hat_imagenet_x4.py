# HAT, first of two stages: ImageNet, patches of 64 LR pixels (128 at x2, 192 at x3).
_base_ = [
    "../_base_/settings/benchmark.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/adam_800k_half_300k.py",
    "../_base_/ema_999.py",
]
scale = 4
patch_size = 256
backbone = dict(type="HAT")
