# MSRResNet, BasicSR's recipe: patches of 128, 2e-4, four cosines of 250K, mean weights. x2 and x3
# begin with x4 (msr_resnet_div2k_x2_from_x4).
_base_ = [
    "../_base_/settings/div2k.py",
    "../_base_/schedules/adam_1m_restart_250k.py",
    "../_base_/ema_999.py",
]
scale = 4
patch_size = 128
backbone = dict(type="MSRResNet")
