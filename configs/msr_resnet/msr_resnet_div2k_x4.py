# MSRResNet, BasicSR's recipe: patches of 128, 2e-4, four cosines of 250K, mean weights. x2 and x3
# begin with x4 (msr_resnet_div2k_x2_from_x4).
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_1m.py", "../_base_/ema_999.py"]
scale = 4
patch_size = 128
backbone = dict(type="MSRResNet")
optim_wrapper = dict(optimizer=dict(lr=2e-4, betas=(0.9, 0.99)))
param_scheduler = dict(
    type="CosineRestartLR",
    by_epoch=False,
    periods=[250_000] * 4,
    restart_weights=[1, 1, 1, 1],
    eta_min=1e-7,
)
