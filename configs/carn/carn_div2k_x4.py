# CARN: batches of 64 patches of 64 LR pixels. The paper trains one network for scales 2, 3 and 4,
# drawing one of them for each batch. A batch has the config's scale here, so this is the network of
# one scale (patch 128 at x2, 192 at x3).
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/carn.py",
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
