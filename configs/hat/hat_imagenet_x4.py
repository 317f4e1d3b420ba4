# HAT, first of two stages: ImageNet, patches of 64 LR pixels (128 at x2, 192 at x3).
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/backbones/hat.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_800k_half_300k.py",
    "../_base_/ema_999.py",
]
scale = 4
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=256),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    )
)
