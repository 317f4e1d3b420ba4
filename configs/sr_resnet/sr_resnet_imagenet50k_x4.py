# SRResNet: squared error, patches of 96, 1e-4 for 1M iterations. The paper has 350,000 photos of
# ImageNet and [-1, 1] for its loss.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/imagenet50k.py",
    "../_base_/backbones/sr_resnet.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1m.py",
]
scale = 4
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=96),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
model = dict(loss=dict(type="MSELoss"))
