# SwinIR, classical, as compared with RCAN: DIV2K alone, patches of 48 LR pixels.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/swinir.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_500k_half_250k.py",
    "../_base_/ema_999.py",
]
scale = 2
train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=96),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
