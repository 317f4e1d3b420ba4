# WaveResNet, the RGB network of the NTIRE challenge's bicubic track. The paper's loss is the
# squared error of bands, the same number here; data, patches and rates are not known to us: VDSR's,
# with its limit on the gradient.
_base_ = ["../_base_/settings/luma_div2k.py", "../_base_/schedules/sgd_400k.py"]
scale = 4
patch_size = 40
batch_size = 64
backbone = dict(type="WaveResNet", preset="ntire")
model = dict(loss=dict(weight=40**2 / 2))
optim_wrapper = dict(clip_grad=dict(max_norm=0.4))
