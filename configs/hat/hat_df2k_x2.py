# HAT: batches of 32 patches of 64 LR pixels of DIV2K and Flickr2K.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/df2k.py",
    "../_base_/backbones/hat.py",
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
            dict(type="PairedCrop", patch_size=128),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(betas=(0.9, 0.99)))
