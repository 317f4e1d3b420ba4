# DRRN B1U25: one network for scales 2, 3 and 4; the rate halved every 65,360 of 326,800 iterations;
# biases at a tenth of it; patches of 36 (paper: 31). Validated at x4. The norm of the gradient is
# limited to 0.01 / rate, as in the release (the paper limits its elements: type="value").
_base_ = ["../_base_/settings/luma_291_joint.py", "../_base_/schedules/sgd_400k.py"]
scale = 4
batch_size = 128
backbone = dict(type="DRRN", blocks=1, units=25, width=128)
# Caffe's Euclidean loss: half the squares of a patch, summed, mean over the batch.
model = dict(loss=dict(type="MSELoss", weight=36**2 / 2))
optim_wrapper = dict(clip_grad=dict(theta=0.01), paramwise_cfg=dict(bias_lr_mult=0.1))
param_scheduler = dict(milestones=[65_360, 130_720, 196_080, 261_440], gamma=0.5)
train_cfg = dict(max_iters=326_800)
