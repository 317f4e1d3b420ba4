# LapSRN: every level supervised, its error summed over its pixels: hence weights. 1000 iterations
# make one of its epochs; the rate is halved every 50 down to 1e-6, biases have a tenth. The images
# shrunk by 0.5 to 1 beforehand are missing, and how long it trains is not known to us.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_bsds200.py",
    "../_base_/backbones/lapsrn.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark_y.py",
    "../_base_/schedules/sgd_400k.py",
]
scale = 2
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
model = dict(
    loss=dict(
        type="WeightedLoss",
        terms=[dict(type="CharbonnierLoss", eps=1e-3)],
        outputs={"sr": 128**2},
    )
)
optim_wrapper = dict(optimizer=dict(lr=1e-5), paramwise_cfg=dict(bias_lr_mult=0.1))
param_scheduler = [
    dict(type="MultiStepLR", by_epoch=False, milestones=[50_000, 100_000, 150_000], gamma=0.5),
    dict(type="MultiStepLR", by_epoch=False, milestones=[200_000], gamma=0.8),
]
