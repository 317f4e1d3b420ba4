# Compact has no paper: the first stage of ESRGAN's recipe.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/df2k.py",
    "../_base_/backbones/srvgg_compact.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=128),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(lr=2e-4, betas=(0.9, 0.99)))
