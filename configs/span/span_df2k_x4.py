# SPAN: batches of 64 patches of 256, 5e-4, halved every 200K of 1M iterations.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/df2k.py",
    "../_base_/backbones/span.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=256),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(lr=5e-4, betas=(0.9, 0.99)))
