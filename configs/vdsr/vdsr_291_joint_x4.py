# VDSR: one network for scales 2, 3 and 4, all of them in every batch; patches of 36 (paper: 41).
# Validated at x4. The exported file says same_size=True: name its type beside it for LR of any
# scale. The paper limits single elements of the gradient to theta / rate and does not say theta
# (clip_grad=dict(type="value", theta=...)); the norm of 0.4 is that of its best-known port.
_base_ = ["../_base_/settings/luma_291_joint.py", "../_base_/schedules/sgd_400k.py"]
scale = 4
backbone = dict(type="VDSR", depth=20, width=64, colour="y")
# Caffe's Euclidean loss: half the squares of a patch, summed, mean over the batch.
model = dict(loss=dict(type="MSELoss", weight=36**2 / 2))
optim_wrapper = dict(clip_grad=dict(max_norm=0.4))
