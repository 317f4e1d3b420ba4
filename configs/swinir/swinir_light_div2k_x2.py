# SwinIR, lightweight: batches of 64 patches of 64 LR pixels of DIV2K.
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
backbone = dict(preset="lightweight")
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=128),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
