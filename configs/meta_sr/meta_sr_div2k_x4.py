# Meta-SR at one scale, any number (scale=2.5, patch 125): 16 patches of 50 LR pixels. Weights serve
# every scale but know the one; the paper draws one for each batch (meta_sr_div2k_multiscale_x4).
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k_any_scale.py",
    "../_base_/backbones/meta_sr.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=200),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
