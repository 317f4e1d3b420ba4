# Progressive CARN, stage 3 of 3: CARN's schedule, begun anew at each stage. Patch, batch and
# schedule of the paper are not known to us. Begin from the weights of the stage before:
# docs/configs.md, "Growing networks".
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k_any_scale.py",
    "../_base_/backbones/progressive_carn.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_600k_half_400k.py",
]
scale = 8
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=384),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
optim_wrapper = dict(clip_grad=dict(max_norm=10))
