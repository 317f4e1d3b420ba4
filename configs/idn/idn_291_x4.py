# IDN: 29, 15 and 11 LR pixels at x2, x3 and x4 (58, 45, 44 HR pixels; Caffe's labels are a little
# smaller). Biases and the deconvolution at a tenth of the rate, a tenth of all after 250K of 600K
# iterations. The paper trains by squared error first and by absolute error after; one run has one
# loss here: run it with model.loss.type=MSELoss, and again with load_from.
_base_ = ["../_base_/settings/luma_291.py", "../_base_/schedules/adam_600k_half_400k.py"]
scale = 4
patch_size = 44
backbone = dict(type="IDN")
model = dict(loss=dict(type="L1Loss"))
optim_wrapper = dict(
    optimizer=dict(weight_decay=1e-4),
    paramwise_cfg=dict(bias_lr_mult=0.1, custom_keys={"backbone.deconv": dict(lr_mult=0.1)}),
)
param_scheduler = dict(milestones=[250_000], gamma=0.1)
