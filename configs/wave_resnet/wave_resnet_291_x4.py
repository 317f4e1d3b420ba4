# WaveResNet, the primary network, on Y. The paper's loss is the squared error of bands, the same
# number here; data, patches and rates are not known to us: VDSR's, with its limit on the gradient.
# Patches of 40 (42 at x3).
_base_ = ["../_base_/settings/luma_291.py", "../_base_/schedules/sgd_400k.py"]
scale = 4
patch_size = 40
backbone = dict(type="WaveResNet")
model = dict(loss=dict(weight=40**2 / 2))
optim_wrapper = dict(clip_grad=dict(max_norm=0.4))
