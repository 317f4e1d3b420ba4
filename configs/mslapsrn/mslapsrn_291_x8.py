# MS-LapSRN at x8 alone, where the shared level is trained for x2 and x4 as well, on LR that is
# smaller; the paper's batches of 64 hold scales 2, 4 and 8 (mslapsrn_291_multiscale_x4). 1000
# iterations make one epoch; how long it trains is not known to us.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_bsds200_any_scale.py",
    "../_base_/backbones/mslapsrn.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark_y.py",
    "../_base_/schedules/sgd_400k.py",
]
scale = 8
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
        outputs={"sr": 128**2, "half": 64**2, "quarter": 32**2},
    )
)
optim_wrapper = dict(optimizer=dict(lr=5e-6))
param_scheduler = dict(gamma=0.5)
