# Progressive CARN, stage 2 of 3: CARN's schedule, begun anew at each stage. Patch, batch and
# schedule of the paper are not known to us. Begin from the weights of the stage before:
# docs/configs.md, "Growing networks".
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/progressive_carn.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_600k_half_400k.py",
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
optim_wrapper = dict(clip_grad=dict(max_norm=10))
