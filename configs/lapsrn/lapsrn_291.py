# LapSRN: every level supervised, its error summed over its pixels: hence weights. 1000 iterations
# make one of its epochs; the rate is halved every 50 down to 1e-6, biases have a tenth. The images
# shrunk by 0.5 to 1 beforehand are missing, and how long it trains is not known to us.
_base_ = ["../_base_/settings/luma_291.py", "../_base_/schedules/sgd_400k.py"]
scale = 4
per_scale = {2: {}, 4: dict(model=dict(loss=dict(outputs={"half": 64**2})))}
patch_size = 128
backbone = dict(type="LapSRN")
__error = dict(type="CharbonnierLoss", eps=1e-3)
model = dict(loss=dict(type="WeightedLoss", terms=[__error], outputs={"sr": 128**2}))
optim_wrapper = dict(optimizer=dict(lr=1e-5), paramwise_cfg=dict(bias_lr_mult=0.1))
param_scheduler = [
    dict(type="MultiStepLR", by_epoch=False, milestones=[50_000, 100_000, 150_000], gamma=0.5),
    dict(type="MultiStepLR", by_epoch=False, milestones=[200_000], gamma=0.8),
]
