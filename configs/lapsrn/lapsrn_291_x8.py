# LapSRN at x8, by lapsrn_291.py's settings.
_base_ = ["../_base_/settings/luma_291_any_scale.py", "../_base_/schedules/sgd_400k.py"]
scale = 8
patch_size = 128
backbone = dict(type="LapSRN")
__error = dict(type="CharbonnierLoss", eps=1e-3)
__outputs = {"sr": 128**2, "half": 64**2, "quarter": 32**2}
model = dict(loss=dict(type="WeightedLoss", terms=[__error], outputs=__outputs))
optim_wrapper = dict(optimizer=dict(lr=1e-5), paramwise_cfg=dict(bias_lr_mult=0.1))
param_scheduler = [
    dict(type="MultiStepLR", by_epoch=False, milestones=[50_000, 100_000, 150_000], gamma=0.5),
    dict(type="MultiStepLR", by_epoch=False, milestones=[200_000], gamma=0.8),
]
